// Vercel's AI SDK, which calls the simulated provider: what it sends is what the API returns, with the attributes of version
// 7 (GenAI's conventions) and with those of the versions before (`ai.*`). GLASSBOX_BIN names the server's program; the
// packages are taken from the folder that GLASSBOX_PEERS names.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { assertFields, message, startServer, startSim } from './stage.mjs';

const { GLASSBOX_PEERS } = process.env;
assert(GLASSBOX_PEERS, 'GLASSBOX_PEERS is not set');
globalThis.AI_SDK_LOG_WARNINGS = false;

const require = createRequire(join(GLASSBOX_PEERS, 'package.json'));
const installed = (name) => import(pathToFileURL(require.resolve(name)));
const { generateText, embed, isStepCount, jsonSchema, Output, streamText, tool } = await installed('ai');
const { LegacyOpenTelemetry, OpenTelemetry } = await installed('@ai-sdk/otel');
const { createOpenAI } = await installed('@ai-sdk/openai');
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');

const SCRIPT = [
  {
    when: ['weather'],
    calls: ['Oslo', 'Bergen'].map((city) => ({ tool: 'get_weather', arguments: { city } })),
    text: 'It rains in both.',
  },
  { when: ['capital'], fields: { reasoning: 'It is known.', answer: 'Paris' } },
  { when: ['joke'], text: 'It got mugged.' },
];
const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const WEATHER = { city: 'Oslo', sky: 'rain' };

/** The id of the trace whose span ended last. */
let latest;
let server, sim, refusing, scripts, provider, model, refused;

before(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'glassbox-script-'));
  const script = join(scripts, 'script.json');
  await writeFile(script, JSON.stringify(SCRIPT));
  [server, sim, refusing] = await Promise.all([
    startServer(),
    startSim('--script', script),
    startSim('--fault', 'rate-limited=1'),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${server.origin}/v1/traces` });
  const watcher = {
    onStart() {},
    onEnd: (span) => (latest = span.spanContext().traceId),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter), watcher] });
  provider.register();
  model = createOpenAI({ baseURL: sim.told.openai, apiKey: 'sim' });
  refused = createOpenAI({ baseURL: refusing.told.openai, apiKey: 'sim' }).chat('gpt-4o-mini');
});

after(async () => {
  await provider.shutdown();
  await Promise.all([server.stop(), sim.stop(), refusing.stop(), rm(scripts, { recursive: true, force: true })]);
});

const DIALECTS = {
  now: {
    telemetry: () => new OpenTelemetry({ runtimeContext: true, usage: true }),
    names: { root: 'agent', call: 'chat gpt-4o-mini', tool: 'execute_tool get_weather', embed: 'embeddings text-embedding-3-small' },
    steps: (count) => count,
  },
  before: {
    telemetry: () => new LegacyOpenTelemetry(),
    names: { root: 'chain', call: /\.do(Generate|Stream)$/, tool: 'ai.toolCall get_weather', embed: 'ai.embed.doEmbed' },
    steps: () => 0,
  },
};

for (const [when, dialect] of Object.entries(DIALECTS)) {
  /** Runs something, and returns its trace with the details of all spans, in the order in which they began. */
  async function traced(functionId, run) {
    const telemetry = {
      functionId,
      integrations: [dialect.telemetry()],
      includeRuntimeContext: { userId: true, sessionId: true, shop: true },
    };
    const runtimeContext = { userId: 'ada', sessionId: 'morning', shop: 7 };
    let answer, failure;
    try {
      answer = await run({ telemetry, runtimeContext, maxRetries: 0 });
    } catch (error) {
      failure = error;
    }
    await provider.forceFlush();
    const { trace, spans } = await server.ask(`/traces/${latest}`);
    const details = await Promise.all(spans.map((span) => server.ask(`/traces/${latest}/spans/${span.span_id}`)));
    const named = (name) => details.filter((span) => (name.test ? name.test(span.name) : name === span.name));
    const root = details.find((span) => span.parent_id === null);
    // Version 7 does not send the name with embeddings.
    if (root.kind !== 'embedding') assertFields({ ...root, name: trace.name }, { kind: dialect.names.root, name: functionId });
    return { answer, failure, trace, details, root, calls: named(dialect.names.call), named };
  }

  test(`${when}: a call`, async () => {
    const { answer, trace, root, calls } = await traced('joker', (options) =>
      generateText({ model: model.chat('gpt-4o-mini'), instructions: 'You sell coffee.', prompt: 'A joke', temperature: 0.2, ...options }),
    );
    const [call] = calls;
    const used = answer.usage;
    assert(used.inputTokens > 0);
    assertFields(call, { kind: 'generation', model: 'gpt-4o-mini', provider: 'openai', state: 'done', odd: [], notes: [] });
    assertFields(call.tokens, { input: used.inputTokens, cache_read: 0, output: used.outputTokens, total: used.totalTokens });
    assert(Number(call.cost_usd) > 0);
    assertFields(trace, { model_calls: 1, cost_usd: call.cost_usd, tokens: call.tokens, models: ['gpt-4o-mini'], state: 'done' });
    assert.deepEqual(call.messages, [message('system', 'You sell coffee.'), message('user', 'A joke')]);
    assert.deepEqual(call.reply, message('assistant', 'It got mugged.'));
    assertFields(call, { response_id: answer.response.id, response_model: answer.response.modelId, finish_reasons: ['stop'] });
    assert.equal(call.parameters.temperature, 0.2);
    // The older attributes have none of the context.
    if (when === 'now') {
      assertFields(trace, { user_id: 'ada', session_id: 'morning', metadata: { shop: 7 } });
      assert.deepEqual(root.messages, call.messages);
      assert.deepEqual(root.reply, call.reply);
    }
  });

  for (const [how, run] of Object.entries({ generated: generateText, streamed: streamText })) {
    test(`${when}: calls of tools, ${how}`, async () => {
      const get_weather = tool({
        description: 'Tells the weather.',
        inputSchema: jsonSchema(CITY),
        execute: async ({ city }) => ({ ...WEATHER, city }),
      });
      const { answer, trace, root, calls, named, details } = await traced('weather', async (options) => {
        const asked = { model: model.chat('gpt-4o-mini'), prompt: 'The weather?', tools: { get_weather }, stopWhen: isStepCount(5) };
        const result = await run({ ...asked, ...options });
        return { text: await result.text, usage: await result.totalUsage };
      });
      assert.equal(answer.text, 'It rains in both.');
      assert.equal(calls.length, 3);
      assertFields(trace, { model_calls: 3, errors: 0, spans: 6 + dialect.steps(3) });
      assert.equal(trace.tokens.total, answer.usage.totalTokens);
      const tools = named(dialect.names.tool);
      assert.deepEqual(
        tools.map(({ kind, input, output }) => [kind, input, output]),
        ['Oslo', 'Bergen'].map((city) => ['tool', { city }, { city, sky: 'rain' }]),
      );
      const [asking, again] = calls;
      const call = asking.reply.parts[0];
      assert.deepEqual(asking.reply.parts, [{ type: 'tool_call', id: call.id, name: 'get_weather', arguments: { city: 'Oslo' } }]);
      assertFields(asking.tools[0], { name: 'get_weather', description: 'Tells the weather.' });
      assert.deepEqual(asking.tools[0].parameters.required, ['city']);
      assert.deepEqual(again.messages.slice(1), [
        asking.reply,
        { role: 'tool', parts: [{ type: 'tool_result', id: call.id, content: WEATHER }] },
      ]);
      assert.deepEqual(calls[2].reply, message('assistant', 'It rains in both.'));
      const parents = new Map(details.map((span) => [span.span_id, span]));
      for (const span of [...calls, ...tools]) {
        const parent = parents.get(span.parent_id);
        const isOfStep = parent.kind === 'chain' && parent.name.startsWith('step ');
        assert(parent === root || isOfStep || parent.kind === 'generation', `${span.name} is below ${parent.name}`);
      }
      for (const { phases } of calls) {
        assert.equal((phases?.first_chunk_us ?? null) !== null, how === 'streamed');
      }
    });
  }

  test(`${when}: an object`, async () => {
    const properties = { reasoning: { type: 'string' }, answer: { type: 'string' } };
    const schema = jsonSchema({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false });
    const { answer, calls } = await traced('capital', (options) =>
      generateText({ model: model.chat('gpt-4o-mini'), prompt: 'The capital?', output: Output.object({ schema }), ...options }),
    );
    assert.deepEqual(answer.output, SCRIPT[1].fields);
    assert.deepEqual(JSON.parse(calls[0].reply.parts[0].text), SCRIPT[1].fields);
  });

  test(`${when}: an embedding`, async () => {
    const { answer, trace, named } = await traced('embedder', (options) =>
      embed({ model: model.embedding('text-embedding-3-small'), value: 'latte', ...options }),
    );
    const call = named(dialect.names.embed).find((span) => span.tokens !== null && span.tokens.total !== null);
    assertFields(call, { kind: 'embedding', model: 'text-embedding-3-small', provider: 'openai' });
    assert.equal(call.tokens.input, answer.usage.tokens);
    assert.equal(trace.model_calls, 1);
  });

  test(`${when}: a refused call`, async () => {
    const { failure, trace, calls } = await traced('refused', (options) =>
      generateText({ model: refused, prompt: 'A joke', ...options }),
    );
    assertFields(calls[0], { state: 'error', tokens: null, cost_usd: null });
    assert.deepEqual(calls[0].error, { type: failure.name, message: failure.message });
    assertFields(trace, { state: 'error', model_calls: 1 });
  });
}
