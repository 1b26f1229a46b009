// Traces to look at: a coffee shop's, one with many spans, and one with a script in every field.

import { randomBytes } from 'node:crypto';
import { attributes } from './setup.mjs';

export const hex = (bytes) => randomBytes(bytes).toString('hex');
const nano = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);

/** A span of OTLP JSON. Times are milliseconds since the epoch. */
export function span({ traceId, spanId = hex(8), parentSpanId = '', name, from, to, values = {}, error = null }) {
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: 1,
    startTimeUnixNano: nano(from),
    endTimeUnixNano: nano(to),
    attributes: attributes(values),
    status: error ? { code: 2, message: error } : {},
  };
}

/** A customer: an agent, a chain and a model call in it. */
export function customer({
  at = Date.now() - 6000,
  request = 'any coffee jokes?',
  model = 'gpt-4o-mini',
  session = 's-1',
  error = null,
} = {}) {
  const traceId = hex(16);
  const [agent, chain, call] = [hex(8), hex(8), hex(8)];
  const shared = { 'session.id': session, 'user.id': 'u-4', 'langfuse.trace.tags': ['beta'] };
  const spans = [
    span({
      traceId,
      spanId: agent,
      name: 'CoffeeShopAgent.forward',
      from: at,
      to: at + 5000,
      error,
      values: {
        ...shared,
        'langfuse.observation.type': 'agent',
        'input.value': request,
        'output.value': 'It got mugged.',
      },
    }),
    span({
      traceId,
      spanId: chain,
      parentSpanId: agent,
      name: 'ChainOfThought(CoffeeShop)',
      from: at + 1,
      to: at + 4990,
      error,
      values: { ...shared, 'langfuse.observation.type': 'chain' },
    }),
    span({
      traceId,
      spanId: call,
      parentSpanId: chain,
      name: `chat ${model}`,
      from: at + 2,
      to: at + 4900,
      error,
      values: {
        ...shared,
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': model,
        'gen_ai.request.temperature': 0.2,
        'gen_ai.usage.input_tokens': 1589,
        'gen_ai.usage.output_tokens': 221,
        'gen_ai.input.messages': JSON.stringify([
          { role: 'system', parts: [{ type: 'text', content: 'Analyze customer request.' }] },
          { role: 'user', parts: [{ type: 'text', content: request }] },
        ]),
        'gen_ai.output.messages': JSON.stringify([
          {
            role: 'assistant',
            parts: [{ type: 'text', content: 'Why did the coffee file a police report? **It got mugged.**' }],
            finish_reason: 'stop',
          },
        ]),
      },
    }),
  ];
  return { traceId, agent, chain, call, spans };
}

/** One trace of many spans: a root with examples, each with a call. */
export function evaluation(many, at = Date.now() - 600_000) {
  const traceId = hex(16);
  const root = hex(8);
  const spans = [span({ traceId, spanId: root, name: 'Evaluate(QA)', from: at, to: at + many * 25 })];
  for (let index = 0; spans.length < many; index += 1) {
    const example = hex(8);
    const from = at + index * 50;
    spans.push(
      span({
        traceId,
        spanId: example,
        parentSpanId: root,
        name: `example ${index}`,
        from,
        to: from + 49,
        values: { 'langfuse.observation.type': 'chain' },
      }),
    );
    if (spans.length < many)
      spans.push(
        span({
          traceId,
          parentSpanId: example,
          name: 'chat gpt-4o-mini',
          from: from + 1,
          to: from + 40,
          values: {
            'gen_ai.operation.name': 'chat',
            'gen_ai.request.model': 'gpt-4o-mini',
            'gen_ai.usage.input_tokens': 10,
            'gen_ai.usage.output_tokens': 1,
          },
        }),
      );
  }
  return { traceId, root, spans };
}

/** A trace that tries to run a script from every field. */
export function hostile() {
  const attack = '"><script>alert(1)</script><img src=x onerror=alert(2)>';
  const traceId = hex(16);
  const call = hex(8);
  const spans = [
    span({
      traceId,
      spanId: call,
      name: `evil ${attack}`,
      from: Date.now() - 900,
      to: Date.now() - 100,
      error: attack,
      values: {
        [`key ${attack}`]: attack,
        'session.id': attack,
        'user.id': attack,
        'langfuse.trace.tags': [attack],
        'langfuse.release': attack,
        'langfuse.environment': attack,
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': attack,
        'gen_ai.provider.name': attack,
        'input.value': attack,
        'output.value': attack,
        'exception.type': attack,
        'gen_ai.input.messages': JSON.stringify([
          {
            role: attack,
            parts: [
              { type: 'text', content: `${attack}\n\n\`\`\`html\n${attack}\n\`\`\`\n- ${attack}` },
              { type: 'tool_call', id: attack, name: attack, arguments: { [attack]: attack } },
            ],
          },
        ]),
        'gen_ai.output.messages': JSON.stringify([
          {
            role: 'assistant',
            parts: [
              { type: 'reasoning', content: attack },
              { type: 'text', content: JSON.stringify({ [attack]: [attack] }) },
            ],
          },
        ]),
      },
    }),
  ];
  return { traceId, call, attack, spans };
}
