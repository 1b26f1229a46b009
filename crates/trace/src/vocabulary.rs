//! The names of attributes: each key once, by the convention that it belongs to, with unit and meaning.
//!
//! Nothing else in the workspace spells a key out. Where a convention has no word for what we know, the key is in
//! our own namespace, [`glassbox`]; keys are never invented inside another's.

pub mod dialects;

/// OpenTelemetry's general conventions, stable unless they say otherwise.
pub mod general {
    /// The logical name of the service, on the resource.
    pub const SERVICE_NAME: &str = "service.name";
    /// The version of the service, on the resource.
    pub const SERVICE_VERSION: &str = "service.version";
    /// Where the service runs, such as `production`; on the resource, and on spans that know better.
    pub const DEPLOYMENT_ENVIRONMENT: &str = "deployment.environment.name";
    /// The name of [`DEPLOYMENT_ENVIRONMENT`] before version 1.27; only read.
    pub const DEPLOYMENT_ENVIRONMENT_OLD: &str = "deployment.environment";
    /// The class of an error, of few values: `429`, `timeout`, `cancelled`. Never the message.
    pub const ERROR_TYPE: &str = "error.type";
    /// The value of [`ERROR_TYPE`] for errors without a class.
    pub const ERROR_TYPE_OTHER: &str = "_OTHER";
    /// The message of an exception, on `exception` events; only read.
    pub const EXCEPTION_MESSAGE: &str = "exception.message";
    /// The HTTP status of an answer, an int.
    pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
    /// How often the request had been sent before, an int from 1; absent on the first attempt.
    pub const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
    /// The host that was called.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// The port that was called, an int.
    pub const SERVER_PORT: &str = "server.port";
    /// The conversation that the trace belongs to; OpenInference and Langfuse read it too.
    pub const SESSION_ID: &str = "session.id";
    /// The end user that the trace was run for; OpenInference and Langfuse read it too.
    pub const USER_ID: &str = "user.id";
}

/// OpenTelemetry's GenAI conventions, version 1.41 (the last one that backends read), in development.
pub mod gen_ai {
    /// What was done: `chat`, `embeddings`, `execute_tool`, `invoke_agent`, `retrieval`.
    pub const OPERATION_NAME: &str = "gen_ai.operation.name";
    /// Who serves the model: `openai`, `anthropic`, `gcp.gemini`.
    pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
    /// The name of [`PROVIDER_NAME`] before version 1.37; only read.
    pub const SYSTEM: &str = "gen_ai.system";
    /// The conversation; only ever our session, never an invented id.
    pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
    /// What kind of output was asked for: `text` or `json`.
    pub const OUTPUT_TYPE: &str = "gen_ai.output.type";
    /// The model that was asked for.
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    /// Sampling temperature, a double.
    pub const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
    /// Nucleus sampling, a double.
    pub const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
    /// How many documents a retrieval asked for.
    pub const REQUEST_TOP_K: &str = "gen_ai.request.top_k";
    /// The name of [`REQUEST_TOP_K`] on retrievals after version 1.41; only read.
    pub const RETRIEVAL_TOP_K: &str = "gen_ai.retrieval.top_k";
    /// Upper bound of output tokens, an int.
    pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    /// Seed for sampling, an int.
    pub const REQUEST_SEED: &str = "gen_ai.request.seed";
    /// Texts at which the model stops.
    pub const REQUEST_STOP_SEQUENCES: &str = "gen_ai.request.stop_sequences";
    /// Reasoning effort as it was sent; newer than version 1.41, which has no key for it.
    pub const REQUEST_REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
    /// Whether the answer was streamed; absent instead of `false`.
    pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
    /// The service tier that was asked of OpenAI.
    pub const OPENAI_REQUEST_SERVICE_TIER: &str = "openai.request.service_tier";
    /// The model that answered.
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    /// The provider's id of the answer.
    pub const RESPONSE_ID: &str = "gen_ai.response.id";
    /// Why the model stopped, one a choice, in the provider's words.
    pub const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    /// Seconds from the request to the first chunk of a streamed answer, a double.
    pub const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    /// All input tokens, those of the cache included.
    pub const USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    /// All output tokens, those of reasoning included.
    pub const USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    /// Input tokens read from the provider's cache, a part of [`USAGE_INPUT_TOKENS`].
    pub const USAGE_CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    /// Input tokens written to the provider's cache, a part of [`USAGE_INPUT_TOKENS`].
    pub const USAGE_CACHE_CREATION: &str = "gen_ai.usage.cache_creation.input_tokens";
    /// The name of [`USAGE_CACHE_CREATION`] after version 1.41; only read, because backends count it twice.
    pub const USAGE_CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
    /// Output tokens spent on reasoning, a part of [`USAGE_OUTPUT_TOKENS`].
    pub const USAGE_REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
    /// Input and output tokens together. No convention has it and it is never sent; subscribers ask events for it.
    pub const USAGE_TOTAL_TOKENS: &str = "gen_ai.usage.total_tokens";
    /// The cost in US dollars; no standard key, but the one that most backends read.
    pub const USAGE_COST: &str = "gen_ai.usage.cost";
    /// The messages that were sent, a JSON string.
    pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
    /// The messages that came back, one a choice, a JSON string.
    pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
    /// The tools that the model could choose from, a JSON string.
    pub const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
    /// The tool's name.
    pub const TOOL_NAME: &str = "gen_ai.tool.name";
    /// The provider's id of the tool call.
    pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
    /// What the tool does.
    pub const TOOL_DESCRIPTION: &str = "gen_ai.tool.description";
    /// The kind of tool: `function`, `extension` or `datastore`.
    pub const TOOL_TYPE: &str = "gen_ai.tool.type";
    /// The agent's name.
    pub const AGENT_NAME: &str = "gen_ai.agent.name";
    /// The index or collection that a retrieval searched.
    pub const DATA_SOURCE_ID: &str = "gen_ai.data_source.id";
    /// The number of dimensions of an embedding, an int.
    pub const EMBEDDINGS_DIMENSION_COUNT: &str = "gen_ai.embeddings.dimension.count";
    /// The measure's name. The conventions have it on events only; spans say it with the same key.
    pub const EVALUATION_NAME: &str = "gen_ai.evaluation.name";
    /// The score, a double.
    pub const EVALUATION_SCORE_VALUE: &str = "gen_ai.evaluation.score.value";
    /// The verdict in a word.
    pub const EVALUATION_SCORE_LABEL: &str = "gen_ai.evaluation.score.label";
    /// Why the verdict is what it is.
    pub const EVALUATION_EXPLANATION: &str = "gen_ai.evaluation.explanation";
    /// The event that has a verdict on the span that it is on.
    pub const EVALUATION_RESULT: &str = "gen_ai.evaluation.result";
    /// The name of the managed prompt; newer than version 1.41 on model calls.
    pub const PROMPT_NAME: &str = "gen_ai.prompt.name";
    /// The version of the managed prompt, a string; newer than version 1.41 on model calls.
    pub const PROMPT_VERSION: &str = "gen_ai.prompt.version";
}

/// OpenInference, which Phoenix reads and most others understand.
pub mod openinference {
    /// The kind of span: `LLM`, `CHAIN`, `TOOL`, `AGENT`, `RETRIEVER`, `EMBEDDING`, `EVALUATOR`, `GUARDRAIL`.
    pub const SPAN_KIND: &str = "openinference.span.kind";
    /// What went in.
    pub const INPUT_VALUE: &str = "input.value";
    /// Whether the input is `text/plain` or `application/json`.
    pub const INPUT_MIME_TYPE: &str = "input.mime_type";
    /// What came out.
    pub const OUTPUT_VALUE: &str = "output.value";
    /// Whether the output is `text/plain` or `application/json`.
    pub const OUTPUT_MIME_TYPE: &str = "output.mime_type";
    /// The cost of the whole call, US dollars, a double.
    pub const COST_TOTAL: &str = "llm.cost.total";
    /// The cost of input tokens that no cache served, US dollars.
    pub const COST_INPUT: &str = "llm.cost.prompt_details.input";
    /// The cost of input tokens read from the cache, US dollars.
    pub const COST_CACHE_READ: &str = "llm.cost.prompt_details.cache_read";
    /// The cost of input tokens written to the cache, US dollars.
    pub const COST_CACHE_WRITE: &str = "llm.cost.prompt_details.cache_write";
    /// The cost of output tokens without reasoning, US dollars.
    pub const COST_OUTPUT: &str = "llm.cost.completion_details.output";
    /// The cost of reasoning tokens, US dollars.
    pub const COST_REASONING: &str = "llm.cost.completion_details.reasoning";
    /// Labels of the trace, an array of strings.
    pub const TAGS: &str = "tag.tags";
    /// Further facts on the trace, a JSON string.
    pub const METADATA: &str = "metadata";
}

/// What Langfuse reads from OTLP, as its version 4.16 does.
pub mod langfuse {
    /// Every key of Langfuse's own begins so.
    pub const PREFIX: &str = "langfuse.";
    /// The type of observation, lowercase: `generation`, `tool`, `span`.
    pub const OBSERVATION_TYPE: &str = "langfuse.observation.type";
    /// What went in: a text or a JSON string.
    pub const OBSERVATION_INPUT: &str = "langfuse.observation.input";
    /// What came out: a text or a JSON string.
    pub const OBSERVATION_OUTPUT: &str = "langfuse.observation.output";
    /// `DEBUG`, `DEFAULT`, `WARNING` or `ERROR`.
    pub const OBSERVATION_LEVEL: &str = "langfuse.observation.level";
    /// The message for people that goes with the level.
    pub const OBSERVATION_STATUS_MESSAGE: &str = "langfuse.observation.status_message";
    /// The model, matched against Langfuse's price table.
    pub const OBSERVATION_MODEL_NAME: &str = "langfuse.observation.model.name";
    /// What was asked of the model besides the messages, a JSON object; `service_tier` selects the price.
    pub const OBSERVATION_MODEL_PARAMETERS: &str = "langfuse.observation.model.parameters";
    /// Tokens used, a JSON object of exclusive buckets and their `total`.
    pub const OBSERVATION_USAGE_DETAILS: &str = "langfuse.observation.usage_details";
    /// US dollars, a JSON object of numbers with the same keys; if any is given Langfuse computes nothing itself.
    pub const OBSERVATION_COST_DETAILS: &str = "langfuse.observation.cost_details";
    /// When the first chunk came, an ISO 8601 instant.
    pub const OBSERVATION_COMPLETION_START_TIME: &str =
        "langfuse.observation.completion_start_time";
    /// The name of the managed prompt; on generations only, and only with its version.
    pub const OBSERVATION_PROMPT_NAME: &str = "langfuse.observation.prompt.name";
    /// The version of the managed prompt: an int, since a string loses the whole observation.
    pub const OBSERVATION_PROMPT_VERSION: &str = "langfuse.observation.prompt.version";
    /// Further facts on an observation: this and a key.
    pub const OBSERVATION_METADATA: &str = "langfuse.observation.metadata.";
    /// The name of the trace, on every span.
    pub const TRACE_NAME: &str = "langfuse.trace.name";
    /// Labels of the trace, on every span, an array of strings.
    pub const TRACE_TAGS: &str = "langfuse.trace.tags";
    /// Further facts on the trace, on every span: this and a key.
    pub const TRACE_METADATA: &str = "langfuse.trace.metadata.";
    /// Where the program runs, on every span: `[a-z0-9-_]{1,40}`, not beginning with `langfuse`.
    pub const ENVIRONMENT: &str = "langfuse.environment";
    /// The release of the program, on every span.
    pub const RELEASE: &str = "langfuse.release";
    /// The version of the program or experiment, on every span: a string, anything else loses the observation.
    pub const VERSION: &str = "langfuse.version";

    /// Marks the topmost span of an application below a span of another one, a bool: it is a root all the same.
    pub const IS_APP_ROOT: &str = "langfuse.internal.is_app_root";
    /// The older mark for the same, a text: the trace's name, input and output are taken from such a span.
    pub const AS_ROOT: &str = "langfuse.internal.as_root";

    /// Our own facts in Langfuse's observation metadata, where they can be filtered by.
    pub mod metadata {
        /// What [`glassbox::SIGNATURE`](super::super::glassbox::SIGNATURE) says.
        pub const SIGNATURE: &str = "langfuse.observation.metadata.signature";
        /// The agent's name.
        pub const AGENT: &str = "langfuse.observation.metadata.agent";
        /// The tool's name.
        pub const TOOL: &str = "langfuse.observation.metadata.tool";
        /// The provider's id of the tool call.
        pub const TOOL_CALL_ID: &str = "langfuse.observation.metadata.tool_call_id";
        /// What the tool does.
        pub const TOOL_DESCRIPTION: &str = "langfuse.observation.metadata.tool_description";
        /// The index or collection that was searched.
        pub const SOURCE: &str = "langfuse.observation.metadata.source";
        /// How many documents were asked for.
        pub const TOP_K: &str = "langfuse.observation.metadata.top_k";
        /// The number of dimensions of an embedding.
        pub const DIMENSIONS: &str = "langfuse.observation.metadata.dimensions";
        /// The measure's name.
        pub const EVALUATION: &str = "langfuse.observation.metadata.evaluation";
        /// The score.
        pub const SCORE: &str = "langfuse.observation.metadata.score";
        /// The verdict in a word.
        pub const LABEL: &str = "langfuse.observation.metadata.label";
        /// The check's name.
        pub const GUARDRAIL: &str = "langfuse.observation.metadata.guardrail";
        /// Whether the check let pass.
        pub const PASSED: &str = "langfuse.observation.metadata.passed";
        /// Who serves the model.
        pub const PROVIDER: &str = "langfuse.observation.metadata.provider";
        /// The model that was asked for, where another name answered.
        pub const REQUEST_MODEL: &str = "langfuse.observation.metadata.request_model";
        /// The provider's id of the answer.
        pub const RESPONSE_ID: &str = "langfuse.observation.metadata.response_id";
        /// Why the model stopped, one a choice.
        pub const FINISH_REASONS: &str = "langfuse.observation.metadata.finish_reasons";
        /// What kind of output was asked for.
        pub const OUTPUT_TYPE: &str = "langfuse.observation.metadata.output_type";
        /// The host that was called.
        pub const SERVER_ADDRESS: &str = "langfuse.observation.metadata.server_address";
        /// The port that was called.
        pub const SERVER_PORT: &str = "langfuse.observation.metadata.server_port";
        /// How many attempts a model call made.
        pub const ATTEMPTS: &str = "langfuse.observation.metadata.attempts";
        /// Seconds that a model call waited in our own limiter.
        pub const LIMITER_WAIT: &str = "langfuse.observation.metadata.limiter_wait_s";
        /// Seconds that a model call slept between attempts.
        pub const BACKOFF_WAIT: &str = "langfuse.observation.metadata.backoff_wait_s";
        /// Seconds of the sleep that the server asked for.
        pub const RETRY_AFTER_WAIT: &str = "langfuse.observation.metadata.retry_after_wait_s";
        /// Whether our own cache answered.
        pub const CACHE_HIT: &str = "langfuse.observation.metadata.cache_hit";
        /// Output tokens a second of a streamed answer, from its first chunk to its end.
        pub const TOKENS_PER_SECOND: &str = "langfuse.observation.metadata.tokens_per_second";
        /// The usage is unknown: the zeros sent only keep Langfuse from counting and charging itself.
        pub const USAGE_UNKNOWN: &str = "langfuse.observation.metadata.usage_unknown";
        /// The cost is unknown: the zero sent only keeps Langfuse from charging.
        pub const COST_UNKNOWN: &str = "langfuse.observation.metadata.cost_unknown";
        /// Reasoning tokens, where they are counted as output so that Langfuse's prices see them.
        pub const REASONING_TOKENS: &str = "langfuse.observation.metadata.reasoning_tokens";
        /// Which attempt of a model call failed, from 1.
        pub const ATTEMPT: &str = "langfuse.observation.metadata.attempt";
        /// The HTTP status of a failed attempt.
        pub const HTTP_STATUS: &str = "langfuse.observation.metadata.http_status";
        /// Seconds that the server asked a failed attempt to wait.
        pub const RETRY_AFTER: &str = "langfuse.observation.metadata.retry_after_s";
        /// What went differently than hoped for, a JSON array: Langfuse drops span events.
        pub const NOTES: &str = "langfuse.observation.metadata.notes";
    }
}

/// What no convention has a word for.
pub mod glassbox {
    /// The kind of span where OpenInference has none: `span`, `event` or `attempt`.
    pub const KIND: &str = "glassbox.kind";
    /// The signature that a chain or an agent fulfils.
    pub const SIGNATURE: &str = "glassbox.signature";
    /// The name of the trace, on every span.
    pub const TRACE_NAME: &str = "glassbox.trace.name";
    /// The release of the program, such as a commit, on every span.
    pub const RELEASE: &str = "glassbox.release";
    /// The version of the program or of the experiment, on every span.
    pub const VERSION: &str = "glassbox.version";
    /// The message for people, on span events.
    pub const NOTE_MESSAGE: &str = "glassbox.note.message";
    /// How many attempts a model call made, the last one included, an int.
    pub const LM_ATTEMPTS: &str = "glassbox.lm.attempts";
    /// Seconds that a model call waited in our own limiter, a double.
    pub const LM_LIMITER_WAIT: &str = "glassbox.lm.wait.limiter_s";
    /// Seconds that a model call slept between attempts, a double.
    pub const LM_BACKOFF_WAIT: &str = "glassbox.lm.wait.backoff_s";
    /// Seconds of that sleep that the server asked for, a double.
    pub const LM_RETRY_AFTER_WAIT: &str = "glassbox.lm.wait.retry_after_s";
    /// Seconds that the server asked a failed attempt to wait, a double.
    pub const LM_RETRY_AFTER: &str = "glassbox.lm.retry_after_s";
    /// Whether our own cache answered: then nothing was used or paid. Absent instead of `false`.
    pub const LM_CACHE_HIT: &str = "glassbox.lm.cache.hit";
    /// Output tokens a second of a streamed answer, from its first chunk to its end, a double.
    pub const LM_TOKENS_PER_SECOND: &str = "glassbox.lm.tokens_per_second";
    /// How many inputs a module was to be run over, an int.
    pub const PARALLEL_INPUTS: &str = "glassbox.parallel.inputs";
    /// For how many of them it worked, an int.
    pub const PARALLEL_SUCCEEDED: &str = "glassbox.parallel.succeeded";
    /// For how many it failed, an int; the others were not begun, or were cancelled.
    pub const PARALLEL_FAILED: &str = "glassbox.parallel.failed";
    /// How many were run at the same time at most, an int.
    pub const PARALLEL_LIMIT: &str = "glassbox.parallel.limit";
    /// The service tier that was asked of a provider other than OpenAI.
    pub const LM_SERVICE_TIER: &str = "glassbox.lm.service_tier";
    /// The check's name.
    pub const GUARDRAIL_NAME: &str = "glassbox.guardrail.name";
    /// Whether the check let pass.
    pub const GUARDRAIL_PASSED: &str = "glassbox.guardrail.passed";
    /// The id of the score that an evaluation's event was written for, a second one with the same id being the same.
    pub const SCORE_ID: &str = "glassbox.score.id";
    /// What that score is of, where it is not the span that has the event: `trace`, or the span's id, 16 hex digits.
    pub const SCORE_OF: &str = "glassbox.score.of";
    /// The value in JSON where number and label do not tell it: a whole number, yes or no.
    pub const SCORE_VALUE: &str = "glassbox.score.value";
    /// Bytes to which the texts of a span were cut since its destination found it too large, an int.
    pub const PAYLOAD_LIMIT: &str = "glassbox.payload_limit";
}
