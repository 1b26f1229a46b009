//! Keys of other instrumentations and of older conventions: only ever read.

/// What the GenAI conventions had before, or what was made up beside them.
pub mod gen_ai_old {
    /// Input tokens before version 1.27.
    pub const USAGE_PROMPT_TOKENS: &str = "gen_ai.usage.prompt_tokens";
    /// Output tokens before version 1.27.
    pub const USAGE_COMPLETION_TOKENS: &str = "gen_ai.usage.completion_tokens";
    /// Cached input tokens, as OpenLLMetry has them.
    pub const USAGE_CACHE_READ: &str = "gen_ai.usage.cache_read_input_tokens";
    /// Input tokens written to the cache, as OpenLLMetry has them.
    pub const USAGE_CACHE_CREATION: &str = "gen_ai.usage.cache_creation_input_tokens";
    /// Reasoning tokens, as OpenLLMetry and Laminar have them.
    pub const USAGE_REASONING: &str = "gen_ai.usage.reasoning_tokens";
    /// The whole prompt as one text, or the beginning of `gen_ai.prompt.0.content` and its kin.
    pub const PROMPT: &str = "gen_ai.prompt";
    /// The whole answer as one text, or the beginning of `gen_ai.completion.0.content` and its kin.
    pub const COMPLETION: &str = "gen_ai.completion";
    /// The event with the prompt under [`PROMPT`].
    pub const CONTENT_PROMPT_EVENT: &str = "gen_ai.content.prompt";
    /// The event with the answer under [`COMPLETION`].
    pub const CONTENT_COMPLETION_EVENT: &str = "gen_ai.content.completion";
    /// The event with all content of a call.
    pub const OPERATION_DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";
    /// The event of an answer.
    pub const CHOICE_EVENT: &str = "gen_ai.choice";
    /// How the events of single messages begin: `gen_ai.user.message`.
    pub const EVENT_PREFIX: &str = "gen_ai.";
    /// How the events of single messages end.
    pub const MESSAGE_EVENT_SUFFIX: &str = ".message";
    /// The system's instructions, apart from the messages; part of the conventions.
    pub const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
    /// A tool's arguments; part of the conventions.
    pub const TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
    /// A tool's result; part of the conventions.
    pub const TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";
    /// What was asked of the model: this and a name.
    pub const REQUEST: &str = "gen_ai.request.";
    /// Seconds to the first token, as servers have it.
    pub const TIME_TO_FIRST_TOKEN: &str = "gen_ai.server.time_to_first_token";
    /// Seconds to the first chunk, as Vercel's AI SDK has them since version 7: a metric's name on a span.
    pub const CLIENT_TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
    /// The whole cost in US dollars, as LiteLLM has it.
    pub const COST_TOTAL: &str = "gen_ai.cost.total_cost";
    /// The type of an exception, on `exception` events.
    pub const EXCEPTION_TYPE: &str = "exception.type";
}

/// OpenInference's keys for model calls.
pub mod openinference {
    /// The model.
    pub const MODEL_NAME: &str = "llm.model_name";
    /// The model that was asked for.
    pub const REQUEST_MODEL_NAME: &str = "llm.request.model_name";
    /// The model that answered.
    pub const RESPONSE_MODEL_NAME: &str = "llm.response.model_name";
    /// The embedding model.
    pub const EMBEDDING_MODEL_NAME: &str = "embedding.model_name";
    /// Who serves the model.
    pub const PROVIDER: &str = "llm.provider";
    /// Who made the model.
    pub const SYSTEM: &str = "llm.system";
    /// What was asked of the model, a JSON object.
    pub const INVOCATION_PARAMETERS: &str = "llm.invocation_parameters";
    /// Why the model stopped.
    pub const FINISH_REASON: &str = "llm.finish_reason";
    /// Messages that were sent, flattened: this, a number, and [`MESSAGE`].
    pub const INPUT_MESSAGES: &str = "llm.input_messages.";
    /// Messages that came back, flattened: this, a number, and [`MESSAGE`].
    pub const OUTPUT_MESSAGES: &str = "llm.output_messages.";
    /// What stands between the number of a message and its field.
    pub const MESSAGE: &str = "message.";
    /// The tools, flattened: this, a number, and `tool.json_schema`.
    pub const TOOLS: &str = "llm.tools.";
    /// All input tokens.
    pub const TOKENS_PROMPT: &str = "llm.token_count.prompt";
    /// All output tokens.
    pub const TOKENS_COMPLETION: &str = "llm.token_count.completion";
    /// Input tokens read from the cache.
    pub const TOKENS_CACHE_READ: &str = "llm.token_count.prompt_details.cache_read";
    /// Input tokens written to the cache.
    pub const TOKENS_CACHE_WRITE: &str = "llm.token_count.prompt_details.cache_write";
    /// Reasoning tokens.
    pub const TOKENS_REASONING: &str = "llm.token_count.completion_details.reasoning";
    /// The cost of all input, US dollars.
    pub const COST_PROMPT: &str = "llm.cost.prompt";
    /// The cost of all output, US dollars.
    pub const COST_COMPLETION: &str = "llm.cost.completion";
    /// The tool's name.
    pub const TOOL_NAME: &str = "tool.name";
    /// The agent's name.
    pub const AGENT_NAME: &str = "agent.name";
}

/// Traceloop's OpenLLMetry.
pub mod traceloop {
    /// The kind: `workflow`, `task`, `agent` or `tool`.
    pub const SPAN_KIND: &str = "traceloop.span.kind";
    /// What went in, JSON.
    pub const ENTITY_INPUT: &str = "traceloop.entity.input";
    /// What came out, JSON.
    pub const ENTITY_OUTPUT: &str = "traceloop.entity.output";
    /// Facts on the trace: this and a key.
    pub const ASSOCIATION: &str = "traceloop.association.properties.";
    /// The conversation.
    pub const SESSION_ID: &str = "traceloop.association.properties.session_id";
    /// The end user.
    pub const USER_ID: &str = "traceloop.association.properties.user_id";
    /// What was asked of the model: `chat`, `completion`, `embedding`, `rerank`.
    pub const REQUEST_TYPE: &str = "llm.request.type";
    /// Whether the answer was streamed.
    pub const IS_STREAMING: &str = "llm.is_streaming";
    /// The tools, flattened: this, a number, and `name`, `description` or `parameters`.
    pub const FUNCTIONS: &str = "llm.request.functions.";
}

/// Vercel's AI SDK.
pub mod vercel {
    /// What was done: `ai.generateText`, `ai.generateText.doGenerate`, `ai.toolCall`.
    pub const OPERATION_ID: &str = "ai.operationId";
    /// The model.
    pub const MODEL_ID: &str = "ai.model.id";
    /// Who serves it: `openai.chat`.
    pub const MODEL_PROVIDER: &str = "ai.model.provider";
    /// What the program calls the operation.
    pub const FUNCTION_ID: &str = "ai.telemetry.functionId";
    /// How the names of events of a stream begin.
    pub const STREAM_EVENT: &str = "ai.stream.";
    /// What went into a wrapper, JSON.
    pub const PROMPT: &str = "ai.prompt";
    /// The text to embed, JSON.
    pub const VALUE: &str = "ai.value";
    /// The texts to embed, a list of JSON texts.
    pub const VALUES: &str = "ai.values";
    /// The messages of a call, JSON.
    pub const PROMPT_MESSAGES: &str = "ai.prompt.messages";
    /// The tools of a call, a list of JSON texts.
    pub const PROMPT_TOOLS: &str = "ai.prompt.tools";
    /// The answer's text.
    pub const RESPONSE_TEXT: &str = "ai.response.text";
    /// The answer's object, JSON.
    pub const RESPONSE_OBJECT: &str = "ai.response.object";
    /// What the model thought.
    pub const RESPONSE_REASONING: &str = "ai.response.reasoning";
    /// The calls of tools in the answer, JSON.
    pub const RESPONSE_TOOL_CALLS: &str = "ai.response.toolCalls";
    /// The model that answered.
    pub const RESPONSE_MODEL: &str = "ai.response.model";
    /// The id of the answer.
    pub const RESPONSE_ID: &str = "ai.response.id";
    /// Why the model stopped.
    pub const FINISH_REASON: &str = "ai.response.finishReason";
    /// Milliseconds to the first chunk.
    pub const MS_TO_FIRST_CHUNK: &str = "ai.response.msToFirstChunk";
    /// Input tokens, version 4.
    pub const PROMPT_TOKENS: &str = "ai.usage.promptTokens";
    /// Output tokens, version 4.
    pub const COMPLETION_TOKENS: &str = "ai.usage.completionTokens";
    /// Input tokens, version 5.
    pub const INPUT_TOKENS: &str = "ai.usage.inputTokens";
    /// Output tokens, version 5.
    pub const OUTPUT_TOKENS: &str = "ai.usage.outputTokens";
    /// Input tokens read from the cache.
    pub const CACHED_INPUT_TOKENS: &str = "ai.usage.cachedInputTokens";
    /// Reasoning tokens.
    pub const REASONING_TOKENS: &str = "ai.usage.reasoningTokens";
    /// Tokens of an embedding.
    pub const EMBEDDING_TOKENS: &str = "ai.usage.tokens";
    /// Input tokens read from the cache, version 6.
    pub const CACHE_READ_TOKENS: &str = "ai.usage.inputTokenDetails.cacheReadTokens";
    /// Input tokens written to the cache, version 6.
    pub const CACHE_WRITE_TOKENS: &str = "ai.usage.inputTokenDetails.cacheWriteTokens";
    /// Reasoning tokens, versions 6 and 7.
    pub const REASONING_TOKENS_6: &str = "ai.usage.outputTokenDetails.reasoningTokens";
    /// The operation of a call of a tool, and the name of its span.
    pub const TOOL_CALL: &str = "ai.toolCall";
    /// The tool's name.
    pub const TOOL_NAME: &str = "ai.toolCall.name";
    /// The tool's arguments, JSON.
    pub const TOOL_ARGS: &str = "ai.toolCall.args";
    /// The tool's result, JSON.
    pub const TOOL_RESULT: &str = "ai.toolCall.result";
    /// What was asked of the model: this and a name.
    pub const SETTINGS: &str = "ai.settings.";
    /// Facts on the trace: this and a key.
    pub const METADATA: &str = "ai.telemetry.metadata.";
    /// The end user.
    pub const USER_ID: &str = "ai.telemetry.metadata.userId";
    /// The conversation.
    pub const SESSION_ID: &str = "ai.telemetry.metadata.sessionId";
    /// Labels.
    pub const TAGS: &str = "ai.telemetry.metadata.tags";
    /// Facts on the trace since version 7: this and a key.
    pub const CONTEXT: &str = "ai.settings.context.";
    /// The end user, version 7.
    pub const CONTEXT_USER_ID: &str = "ai.settings.context.userId";
    /// The conversation, version 7.
    pub const CONTEXT_SESSION_ID: &str = "ai.settings.context.sessionId";
    /// Labels, version 7.
    pub const CONTEXT_TAGS: &str = "ai.settings.context.tags";
}

/// Pydantic AI.
pub mod pydantic_ai {
    /// All messages of an agent's run, as the GenAI conventions have them.
    pub const ALL_MESSAGES: &str = "pydantic_ai.all_messages";
    /// What an agent's run came to.
    pub const FINAL_RESULT: &str = "final_result";
}

/// LangChain and LangGraph, as Langfuse's SDK and OpenInference tell of them.
pub mod langchain {
    /// Who serves the model, JSON.
    pub const PROVIDER: &str = "langfuse.observation.metadata.ls_provider";
    /// How the names of facts begin that are on one step, and not on the whole trace.
    pub const OF_STEPS: &[&str] = &["langgraph_", "ls_", "lc_", "checkpoint_ns"];
}

/// What Langfuse's SDKs write under other names.
pub mod langfuse_old {
    /// The conversation.
    pub const SESSION_ID: &str = "langfuse.session.id";
    /// The end user.
    pub const USER_ID: &str = "langfuse.user.id";
    /// Labels of the trace.
    pub const TAGS: &str = "langfuse.tags";
    /// What went into the trace.
    pub const TRACE_INPUT: &str = "langfuse.trace.input";
    /// What came out of the trace.
    pub const TRACE_OUTPUT: &str = "langfuse.trace.output";
    /// All facts on an observation, a JSON object.
    pub const OBSERVATION_METADATA: &str = "langfuse.observation.metadata";
    /// All facts on the trace, a JSON object.
    pub const TRACE_METADATA: &str = "langfuse.trace.metadata";
}
