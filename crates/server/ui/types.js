// What the query API answers, as types. Times are microseconds since the epoch, money is decimal text.

/** @typedef {'running'|'done'|'error'|'abandoned'} State */
/** @typedef {'generation'|'agent'|'tool'|'chain'|'retriever'|'embedding'|'evaluator'|'guardrail'|'span'|'event'} Kind */

/**
 * @typedef {object} Tokens
 * @property {number|null} input
 * @property {number|null} cache_read
 * @property {number|null} cache_write
 * @property {number|null} output
 * @property {number|null} reasoning
 * @property {number|null} total
 */

/**
 * @typedef {object} TraceSummary
 * @property {string} trace_id
 * @property {string} name
 * @property {State} state
 * @property {number} start_us
 * @property {number|null} end_us
 * @property {number|null} duration_us
 * @property {number} spans
 * @property {number} open_spans
 * @property {number} errors
 * @property {number} model_calls
 * @property {number} retries
 * @property {number} cache_hits
 * @property {Tokens|null} tokens
 * @property {string|null} cost_usd
 * @property {string[]} models
 * @property {string|null} session_id
 * @property {string|null} user_id
 * @property {string|null} environment
 * @property {string|null} release
 * @property {string|null} version
 * @property {string|null} service
 * @property {string[]} tags
 * @property {string|null} input_preview
 * @property {string|null} output_preview
 * @property {number} updated_seq
 */

/**
 * @typedef {object} Phases
 * @property {number|null} limiter_wait_us
 * @property {number|null} backoff_us
 * @property {number|null} retry_after_us
 * @property {number|null} first_chunk_us Time from the span's start to its first chunk.
 * @property {number|null} attempts
 * @property {boolean} cache_hit
 */

/**
 * @typedef {object} SpanSummary
 * @property {string} trace_id
 * @property {string} span_id
 * @property {string|null} parent_id
 * @property {string} name
 * @property {Kind} kind
 * @property {State} state
 * @property {number} start_us
 * @property {number|null} end_us
 * @property {number|null} duration_us
 * @property {{type: string|null, message: string|null}|null} error
 * @property {string|null} model
 * @property {string|null} provider
 * @property {Tokens|null} tokens
 * @property {string|null} cost_usd
 * @property {Phases|null} phases
 * @property {{at_us: number, name: string, message: string|null}[]} notes
 * @property {string[]} odd
 * @property {string|null} service
 * @property {boolean} has_input
 * @property {boolean} has_output
 * @property {string|null} [preview] The last words of the output; only on events of the stream.
 */

/**
 * @typedef {object} Part
 * @property {'text'|'reasoning'|'tool_call'|'tool_result'|'media'} type
 * @property {string} [text]
 * @property {string|null} [id]
 * @property {string} [name]
 * @property {unknown} [arguments]
 * @property {unknown} [content]
 * @property {string} [mime]
 * @property {number} [bytes]
 * @property {string} [sha256]
 */

/** @typedef {{role: string, parts: Part[]}} Message */

/**
 * @typedef {object} SpanExtra
 * @property {unknown} input
 * @property {unknown} output
 * @property {Message[]|null} messages
 * @property {Message|null} reply
 * @property {{name: string, description: string|null, parameters: unknown}[]} tools
 * @property {Record<string, unknown>} parameters
 * @property {string[]} finish_reasons
 * @property {string|null} response_model
 * @property {string|null} response_id
 * @property {Record<string, unknown>} attributes
 * @property {Record<string, unknown>} resource
 * @property {{name: string|null, version: string|null}|null} scope
 * @property {{at_us: number, name: string, attributes: Record<string, unknown>}[]} events
 * @property {{trace_id: string, span_id: string}[]} links
 * @property {Record<string, unknown>} metadata
 * @property {string[]} truncated
 */

/** @typedef {SpanSummary & SpanExtra} SpanDetail */

/**
 * @typedef {object} Headline
 * @property {number} wall_us
 * @property {number} work_us
 * @property {number} active_us
 * @property {number|null} mean_concurrency
 * @property {Record<string, number>} blame
 * @property {string[]} critical_path
 */

/** A stretch of the critical path. @typedef {{span_id: string, from_us: number, to_us: number}} Stretch */

/** @typedef {{trace: TraceSummary, spans: SpanSummary[], truncated: boolean, headline: Headline|null}} TraceAnswer */

/** @template T @typedef {{items: T[], next_cursor: string|null}} Page */

/** @typedef {{at_us: number, count: number, errors: number, p50_us: number|null, p95_us: number|null, p99_us: number|null, tokens: Tokens, cost_usd: string|null}} StatPoint */
/** @typedef {{bucket_us: number, groups: {key: string|null, points: StatPoint[]}[]}} Stats */

/** @typedef {{provider: string|null, model: string|null, calls: number, errors: number, retries: number, tokens: Tokens|null, cost_usd: string|null, p50_us: number|null, p95_us: number|null, p99_us: number|null, first_chunk_p50_us: number|null}} ModelRow */

/** @typedef {{session_id?: string, user_id?: string, traces: number, first_us: number, last_us: number, users?: string[], tokens: Tokens|null, cost_usd: string|null, errors: number}} SessionRow */

/** @typedef {{name: string, value: number|string|boolean, span_id: string|null, comment: string|null}} Score */

export {};
