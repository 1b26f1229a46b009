// Text of a model or a person: folded when long, JSON as a tree, code and Markdown as such. Everything becomes text nodes.

import { h } from '../dom.js';
import { code, isCode } from './code.js';
import { foldedText } from './folded.js';
import { jsonTree } from './json_tree.js';

const LONG = 2400;
const LARGEST_PARSED = 2_000_000;

/**
 * Shows text as what it is.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function richText(text) {
  const value = asJson(text);
  if (value !== undefined) return jsonTree(value, 3);
  if (isCode(text)) return text.length > LONG ? foldedText(text, LONG, code) : code(text);
  if (text.length > LONG) return foldedText(text, LONG, markdown);
  return markdown(text);
}

/**
 * The object or list that a text spells, if it does.
 * @param {string} text
 * @returns {object|undefined}
 */
export function asJson(text) {
  const trimmed = text.trim();
  if (!/^[[{]/.test(trimmed) || trimmed.length > LARGEST_PARSED) return undefined;
  try {
    return JSON.parse(trimmed);
  } catch {
    return undefined;
  }
}

/**
 * The common part of Markdown: headings, lists, fences, emphasis, code. No links, images or HTML are made from it.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function markdown(text) {
  const box = h('div', 'prose');
  /** @type {HTMLElement|null} */
  let list = null;
  /** @type {string[]} */
  let paragraph = [];
  const flush = () => {
    if (paragraph.length > 0) box.append(h('p', null, ...inline(paragraph.join('\n'))));
    paragraph = [];
  };
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const fence = /^\s*(```|~~~)\s*([\w+-]*)/.exec(line);
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*(?:[-*]|\d+[.)])\s+(.*)$/.exec(line);
    if (fence || heading || item || line.trim() === '') flush();
    if (!item) list = null;
    if (fence) {
      const end = lines.findIndex((other, index) => index > at && other.trim().startsWith(fence[1]));
      const stop = end < 0 ? lines.length : end;
      box.append(code(lines.slice(at + 1, stop).join('\n'), fence[2]));
      at = stop;
    } else if (heading) box.append(h('h3', 'heading', ...inline(heading[2])));
    else if (item) {
      if (!list) box.append((list = h(/^\s*\d/.test(line) ? 'ol' : 'ul', null)));
      list.append(h('li', null, ...inline(item[1])));
    } else if (line.trim() !== '') paragraph.push(line);
  }
  flush();
  return box;
}

/**
 * @param {string} text
 * @returns {(Node|string)[]}
 */
function inline(text) {
  return text
    .split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/)
    .filter(Boolean)
    .map((part) => {
      if (part.length > 2 && part.startsWith('`') && part.endsWith('`')) return h('code', null, part.slice(1, -1));
      if (part.length > 4 && part.startsWith('**') && part.endsWith('**')) return h('b', null, part.slice(2, -2));
      return part;
    });
}
