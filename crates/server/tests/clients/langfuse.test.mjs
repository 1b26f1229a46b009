// Langfuse's SDK for JavaScript: what it sends is what the API returns. GLASSBOX_BIN names the server's program; the packages
// are taken from the folder that GLASSBOX_PEERS names.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { assertFields, message, startServer } from './stage.mjs';

const { GLASSBOX_PEERS } = process.env;
assert(GLASSBOX_PEERS, 'GLASSBOX_PEERS is not set');

const require = createRequire(join(GLASSBOX_PEERS, 'package.json'));
const { LangfuseClient } = require('@langfuse/client');
const { LangfuseSpanProcessor } = require('@langfuse/otel');
const { propagateAttributes, startActiveObservation } = require('@langfuse/tracing');
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

let server, provider, client;

before(async () => {
  server = await startServer();
  const options = { publicKey: 'pk', secretKey: 'sk', baseUrl: server.origin };
  const processor = new LangfuseSpanProcessor({ ...options, environment: 'staging', release: 'v7' });
  provider = new NodeTracerProvider({ spanProcessors: [processor] });
  provider.register();
  client = new LangfuseClient(options);
});

after(async () => {
  await provider.shutdown();
  await client.shutdown();
  await server.stop();
});

/** A trace's summary, its spans by name, and what there is to see of each. */
async function traceOf(observation) {
  await provider.forceFlush();
  const { trace, spans } = await server.ask(`/traces/${observation.traceId}`);
  const details = await Promise.all(spans.map((span) => server.ask(`/traces/${span.trace_id}/spans/${span.span_id}`)));
  const byName = (all) => Object.fromEntries(all.map((span) => [span.name, span]));
  return { trace, spans: byName(spans), details: byName(details) };
}

const TOKENS = { input: 200, cache_read: 1000, cache_write: null, output: 100, reasoning: null, total: 1300 };
const ASKED = [
  { role: 'system', content: 'You sell coffee.' },
  { role: 'user', content: 'An iced latte\nplease' },
];

test('observations with all that they can say', async () => {
  const shared = {
    userId: 'ada',
    sessionId: 'morning',
    tags: ['vip', 'iced'],
    metadata: { shop: 'seven' },
    traceName: 'order',
    version: '2',
  };
  const begun = Date.now();
  const [agent, ask] = await propagateAttributes(shared, () =>
    startActiveObservation(
      'take order',
      async (agent) => {
        agent.update({ input: { request: 'An iced latte' }, metadata: { counter: 3 } });
        const ask = agent.startObservation(
          'ask',
          { model: 'gpt-4o-mini', input: ASKED, modelParameters: { temperature: 0.2, maxTokens: 100 } },
          { asType: 'generation' },
        );
        ask.update({
          output: { role: 'assistant', content: 'With oat milk?' },
          usageDetails: { input: 200, input_cached_tokens: 1000, output: 100 },
          costDetails: { input: 0.001, output: 0.002, total: 0.003 },
          completionStartTime: new Date(begun + 1000),
        });
        ask.end();
        const brew = agent.startObservation('brew', { input: { size: 'large' } }, { asType: 'tool' });
        brew.update({ level: 'ERROR', statusMessage: 'no such cup', output: 'broken' }).end();
        agent.update({ output: 'With oat milk?' });
        return [agent, ask];
      },
      { asType: 'agent' },
    ),
  );

  const { trace, spans, details } = await traceOf(agent);
  assertFields(trace, {
    name: 'order',
    state: 'done',
    spans: 3,
    errors: 1,
    model_calls: 1,
    tokens: TOKENS,
    cost_usd: '0.003',
    models: ['gpt-4o-mini'],
    session_id: 'morning',
    user_id: 'ada',
    environment: 'staging',
    release: 'v7',
    version: '2',
    tags: ['iced', 'vip'],
    input_preview: '{"request":"An iced latte"}',
    output_preview: 'With oat milk?',
  });
  assert.equal(trace.metadata.shop, 'seven');
  assertFields(spans['take order'], { span_id: agent.id, parent_id: null, kind: 'agent', state: 'done' });
  assertFields(spans.ask, {
    span_id: ask.id,
    parent_id: agent.id,
    kind: 'generation',
    state: 'done',
    model: 'gpt-4o-mini',
    tokens: TOKENS,
    cost_usd: '0.003',
  });
  assert(Math.abs(spans.ask.start_us / 1000 - begun) < 60_000);
  assert(Math.abs(spans.ask.phases.first_chunk_us - 1_000_000) < 900_000);
  assertFields(spans.brew, { kind: 'tool', state: 'error', error: { type: '_OTHER', message: 'no such cup' } });
  assertFields(details.ask, {
    input: ASKED,
    output: { role: 'assistant', content: 'With oat milk?' },
    messages: [message('system', 'You sell coffee.'), message('user', 'An iced latte\nplease')],
    reply: message('assistant', 'With oat milk?'),
    parameters: { temperature: 0.2, maxTokens: 100 },
  });
  assert(details.ask.scope.name.startsWith('langfuse-sdk'));
  assertFields(details['take order'], { input: { request: 'An iced latte' }, output: 'With oat milk?' });
  // This client sends numbers in metadata as texts.
  assert.equal(details['take order'].metadata.counter, '3');
  assert.equal(details.brew.output, 'broken');
});

test('every type of observation', async () => {
  const types = ['span', 'agent', 'tool', 'chain', 'retriever', 'evaluator', 'guardrail', 'generation', 'embedding'];
  const root = await startActiveObservation('all', async (root) => {
    for (const asType of types) {
      root.startObservation(asType, { input: asType }, { asType }).end();
    }
    return root;
  });
  const { spans } = await traceOf(root);
  for (const type of types) {
    assertFields(spans[type], { kind: type, parent_id: root.id, has_input: true, has_output: false });
  }
});

test('scores', async () => {
  const span = await startActiveObservation('judged', async (span) => span);
  await provider.forceFlush();
  client.score.create({ traceId: span.traceId, observationId: span.id, name: 'taste', value: 0.9, comment: 'sweet' });
  client.score.create({ traceId: span.traceId, name: 'verdict', value: 'good', dataType: 'CATEGORICAL' });
  await client.score.flush();
  const { items } = await server.ask(`/scores?trace_id=${span.traceId}`);
  const found = Object.fromEntries(items.map((score) => [score.name, score]));
  assertFields(found.taste, { value: 0.9, span_id: span.id, trace_id: span.traceId, comment: 'sweet' });
  assertFields(found.verdict, { value: 'good', span_id: null });
});

test('what was sent is read with the same client', async () => {
  const span = await startActiveObservation('read', async (span) => span.update({ input: 'in', output: 'out' }));
  await provider.forceFlush();
  client.score.create({ traceId: span.traceId, name: 'good', value: 1, dataType: 'BOOLEAN' });
  await client.score.flush();
  const { api } = new LangfuseClient({ publicKey: 'pk', secretKey: server.token, baseUrl: server.origin });
  const { data } = await api.observations.getMany({ traceId: span.traceId, fields: 'core,basic,io', isRootObservation: true });
  assert.deepEqual(
    data.map(({ id, name, input, output }) => ({ id, name, input, output })),
    [{ id: span.id, name: 'read', input: 'in', output: 'out' }],
  );
  const scores = await api.scoresV3.getManyV3({ traceId: span.traceId, fields: 'subject' });
  assert.deepEqual(
    scores.data.map(({ name, value, dataType, subject }) => ({ name, value, dataType, subject })),
    [{ name: 'good', value: true, dataType: 'BOOLEAN', subject: { kind: 'trace', id: span.traceId } }],
  );
  await assert.rejects(api.prompts.get('greeting'), /is not answered here/);
});

test('metrics are the numbers of the statistics', async () => {
  const usageDetails = { input: 20, output: 10 };
  const ask = await propagateAttributes({ tags: ['measured'] }, () =>
    startActiveObservation('ask', async (ask) => ask.update({ model: 'gpt-4o-mini', usageDetails }), {
      asType: 'generation',
    }),
  );
  const { trace } = await traceOf(ask);
  const hour = 3_600_000_000;
  const start = Math.floor(trace.start_us / hour) * hour;
  const times = `from_us=${start}&to_us=${start + hour}&bucket_us=${hour}`;
  const instant = (micros) => new Date(micros / 1000).toISOString();
  const query = (view, measures) =>
    JSON.stringify({
      view,
      metrics: measures.map(([measure, aggregation]) => ({ measure, aggregation })),
      filters: [{ column: 'tags', operator: 'any of', value: ['measured'], type: 'arrayOptions' }],
      timeDimension: { granularity: 'hour' },
      fromTimestamp: instant(start),
      toTimestamp: instant(start + hour),
    });
  const measures = [['count', 'count'], ['totalTokens', 'sum'], ['totalCost', 'sum'], ['latency', 'p99']];
  const { api } = new LangfuseClient({ publicKey: 'pk', secretKey: server.token, baseUrl: server.origin });
  for (const [view, group, metrics] of [
    ['observations', 'calls', api.metrics],
    ['traces', 'none', api.legacy.metricsV1],
  ]) {
    const { groups } = await server.ask(`/stats?${times}&group=${group}&q=tag:measured`);
    const [point] = groups[0].points;
    const { data } = await metrics.metrics({ query: query(view, measures) });
    assert.equal(data.length, 1, view);
    assertFields(data[0], {
      time_dimension: instant(point.at_us),
      count_count: point.count,
      sum_totalTokens: point.tokens.total,
      sum_totalCost: Number(point.cost_usd),
      p99_latency: point.p99_us / 1000,
    });
  }
  await assert.rejects(api.metrics.metrics({ query: query('observations', [['inputCost', 'sum']]) }), /type one of count/);
});
