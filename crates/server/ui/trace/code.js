// Code and tracebacks: shown in a monospace font, with every blank where it was.

import { copyButton } from '../copy.js';
import { h } from '../dom.js';

/**
 * @param {string} text
 * @param {string} [language]
 */
export function code(text, language = '') {
  return h(
    'div',
    'code-box',
    h('pre', { class: 'code', 'data-language': language || null, tabindex: '0' }, h('code', null, text)),
    copyButton(() => text, 'code'),
  );
}

/** The beginnings and ends of lines that prose does not have, in the languages that models write. */
const OF_CODE =
  /^\s*(?:def |class \w+|import \w|from \S+ import |return\b|print\(|(?:for|while|if|elif|else|try|except|with)\b.*:$|(?:const|let|var|fn|pub|use|function|async|await|public|private)\s|select\s.+\sfrom\s|#include|@\w+|[\w.[\]'"]+\s*[-+*/]?=[^=]|[\w.]+\(.*\)[;,]?$|[)\]}]+[;,]?$)|[;{]$/i;

/**
 * Tells whether a text is code, or what an interpreter says of code that failed.
 * @param {string} text
 */
export function isCode(text) {
  if (/^\s*Traceback \(most recent call last\):/.test(text)) return true;
  const lines = text
    .slice(0, 4000)
    .split('\n')
    .filter((line) => line.trim() !== '');
  if (lines.length < 2) return false;
  return lines.filter((line) => OF_CODE.test(line)).length >= lines.length * 0.7;
}

/**
 * Tells whether a tool runs code, by its name.
 * @param {{kind: string, name: string}} span
 */
export function runsCode({ kind, name }) {
  return kind === 'tool' && /(?:^|[\W_])(?:code|python|script|shell|bash|sql)(?:$|[\W_])/i.test(name);
}
