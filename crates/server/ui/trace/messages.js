// Messages as a conversation: who spoke in the margin, what was said beside it.

import { copyButton } from '../copy.js';
import { h } from '../dom.js';
import { bytes } from '../format.js';
import { code } from './code.js';
import { foldedText } from './folded.js';
import { jsonTree } from './json_tree.js';
import { holdsNeedle } from './needles.js';
import { markdown, richText } from './text.js';

/** @typedef {import('../types.js').Message} Message */
/** @typedef {import('../types.js').Part} Part */

const MOST = 200;

/**
 * @param {Message[]} messages What was sent.
 * @param {Message|null} reply
 * @param {boolean} running
 */
export function conversation(messages, reply, running) {
  const box = h('div', { class: 'conversation', role: 'log', 'aria-label': 'Messages' });
  const shown = messages.slice(-MOST);
  if (shown.length < messages.length) {
    const button = h(
      'button',
      {
        class: 'quiet',
        type: 'button',
        onclick: () => button.replaceWith(...messages.slice(0, -MOST).map((message) => bubble(message, false))),
      },
      `${messages.length - shown.length} earlier messages`,
    );
    box.append(button);
  }
  box.append(...shown.map((message) => bubble(message, false)));
  if (reply) box.append(bubble(reply, true));
  else if (running)
    box.append(h('article', 'message reply', h('div', 'who', 'assistant'), h('div', 'said none', 'still answering')));
  return box;
}

/**
 * @param {Message} message
 * @param {boolean} isReply
 */
function bubble(message, isReply) {
  const role = ['system', 'user', 'assistant', 'tool'].includes(message.role) ? message.role : 'other';
  return h(
    'article',
    { class: `message r-${role}${isReply ? ' reply' : ''}` },
    h('div', 'who', message.role),
    h('div', 'said', ...message.parts.map(part)),
    copyButton(() => plain(message), 'message'),
  );
}

/**
 * @param {Part} part
 * @returns {HTMLElement}
 */
function part(part) {
  switch (part.type) {
    case 'text':
      return richText(part.text ?? '');
    case 'reasoning': {
      const text = part.text ?? '';
      return h(
        'details',
        { class: 'reasoning', open: text.length < 800 || holdsNeedle(text) },
        h('summary', null, 'reasoning ', h('span', 'none', bytes(text.length))),
        text.length > 2400 ? foldedText(text, 2400, markdown) : markdown(text),
      );
    }
    case 'tool_call':
      return h(
        'div',
        'call',
        h(
          'div',
          'call-head',
          h('span', { class: 'kind k-tool', 'aria-hidden': 'true' }, 'T'),
          h('b', null, part.name ?? 'tool'),
          part.id && h('code', 'none', part.id),
        ),
        argumentsOf(part.arguments),
      );
    case 'tool_result':
      return h(
        'div',
        'call',
        h('div', 'call-head', h('span', 'none', 'result'), part.id && h('code', 'none', part.id)),
        anything(part.content),
      );
    case 'media':
      return h(
        'div',
        'media',
        h('b', null, part.mime ?? 'media'),
        h('span', null, bytes(part.bytes)),
        part.sha256 &&
          h(
            'code',
            { title: `${part.sha256}\nof what was sent; media themselves are not kept` },
            `sha256 ${part.sha256.slice(0, 12)}…`,
          ),
      );
    default:
      return jsonTree(part, 2);
  }
}

/**
 * Arguments of a call; code among them is shown as code.
 * @param {unknown} value
 */
function argumentsOf(value) {
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    const entries = Object.entries(value);
    const source = entries.find(
      ([key, text]) => /^(code|source|script|sql|query)$/.test(key) && typeof text === 'string' && text.includes('\n'),
    );
    if (source)
      return h(
        'div',
        null,
        entries.length > 1 ? jsonTree(Object.fromEntries(entries.filter((entry) => entry !== source)), 2) : null,
        code(String(source[1]), source[0]),
      );
  }
  return anything(value);
}

/**
 * Whatever was received, shown as what it is.
 * @param {unknown} value
 * @returns {HTMLElement}
 */
export function anything(value) {
  if (typeof value === 'string') return richText(value);
  if (value === null || value === undefined) return h('span', 'none', 'nothing');
  return jsonTree(value, 3);
}

/** @param {Message} message */
function plain(message) {
  return message.parts
    .map((one) => one.text ?? JSON.stringify(one.arguments ?? one.content ?? one, null, 2))
    .join('\n\n');
}
