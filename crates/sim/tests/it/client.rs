//! A small HTTP client for the three wire formats, and a server without waits.

use std::sync::LazyLock;

use glassbox_sim::{Builder, FaultPlan, Latency, Provider, Script, Sim};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub(crate) const PROVIDERS: [Provider; 3] =
    [Provider::OpenAi, Provider::Anthropic, Provider::Gemini];

pub(crate) const HAMBURGERS: &str = "Do you sell hamburgers?";

/// Opens a connection for each request, so that none is retried behind our back.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
});

/// Sends a first request, which takes longer than others, before something is timed.
pub(crate) async fn warm_up() {
    let sim = shop().start().unwrap();
    call(&sim, Provider::OpenAi, false, HAMBURGERS).exchange().await;
}

/// A coffee shop that answers at once.
pub(crate) fn shop() -> Builder {
    Sim::builder().latency(Latency::none()).script(Script::coffee_shop())
}

pub(crate) fn shop_with(faults: FaultPlan) -> Sim {
    shop().faults(faults).start().unwrap()
}

/// A call, as its URL, headers and body.
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

/// Asks for one message to be answered, in the provider's format.
pub(crate) fn call(sim: &Sim, provider: Provider, stream: bool, message: &str) -> Call {
    let messages = json!([{"role": "user", "content": message}]);
    match provider {
        Provider::OpenAi => Call {
            url: format!("{}chat/completions", sim.openai_url()),
            headers: vec![("authorization", "Bearer key".to_owned())],
            body: json!({
                "model": "gpt-4o-mini", "messages": messages, "stream": stream,
                "stream_options": if stream { json!({"include_usage": true}) } else { Value::Null },
            }),
        },
        Provider::Anthropic => Call {
            url: format!("{}messages", sim.anthropic_url()),
            headers: vec![
                ("x-api-key", "key".to_owned()),
                ("anthropic-version", "2023-06-01".to_owned()),
            ],
            body: json!({"model": "claude-haiku-4-5", "messages": messages, "max_tokens": 4096, "stream": stream}),
        },
        Provider::Gemini => {
            let action = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            Call {
                url: format!("{}models/gemini-2.5-flash:{action}", sim.gemini_url()),
                headers: vec![("x-goog-api-key", "key".to_owned())],
                body: json!({"contents": [{"role": "user", "parts": [{"text": message}]}]}),
            }
        }
    }
}

impl Call {
    /// Asks for JSON that conforms to a schema.
    pub(crate) fn with_schema(mut self, provider: Provider, schema: &Value, strict: bool) -> Self {
        match provider {
            Provider::OpenAi => {
                let named = json!({"name": "answer", "strict": strict, "schema": schema});
                self.body["response_format"] = json!({"type": "json_schema", "json_schema": named});
            }
            Provider::Anthropic => {
                self.body["output_config"] =
                    json!({"format": {"type": "json_schema", "schema": schema}});
            }
            Provider::Gemini => {
                let format =
                    json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
                self.body["generationConfig"] = format;
            }
        }
        self
    }

    pub(crate) async fn send(&self) -> reqwest::Result<reqwest::Response> {
        self.send_text(self.body.to_string()).await
    }

    pub(crate) async fn send_text(&self, body: String) -> reqwest::Result<reqwest::Response> {
        let mut request =
            CLIENT.post(&self.url).header("content-type", "application/json").body(body);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.send().await
    }

    /// The status, headers and JSON body of the response.
    pub(crate) async fn exchange(&self) -> (u16, HeaderMap, Value) {
        let response = self.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// The model's text in a whole response that succeeded.
    pub(crate) async fn text(&self, provider: Provider) -> String {
        let (status, _, body) = self.exchange().await;
        assert_eq!(status, 200, "{body}");
        content(provider, &body).to_owned()
    }

    /// The data of each event of a streamed response.
    pub(crate) async fn events(&self) -> Vec<String> {
        let text = self.send().await.unwrap().text().await.unwrap();
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

/// The model's text in a response; empty if there is none.
pub(crate) fn content(provider: Provider, body: &Value) -> &str {
    let path = match provider {
        Provider::OpenAi => "/choices/0/message/content",
        Provider::Anthropic => "/content/0/text",
        Provider::Gemini => "/candidates/0/content/parts/0/text",
    };
    body.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The finish reason in a response.
pub(crate) fn finish(provider: Provider, body: &Value) -> &str {
    let path = match provider {
        Provider::OpenAi => "/choices/0/finish_reason",
        Provider::Anthropic => "/stop_reason",
        Provider::Gemini => "/candidates/0/finishReason",
    };
    body.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The tokens of prompt and answer in a response's usage, the cached ones included.
pub(crate) fn usage(provider: Provider, body: &Value) -> Option<(u64, u64)> {
    let count = |key: &str| body.get(key).and_then(Value::as_u64).unwrap_or(0);
    Some(match provider {
        Provider::OpenAi => {
            let usage = body.get("usage")?;
            (usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?)
        }
        Provider::Anthropic => {
            let usage = body.get("usage")?;
            let count = |key: &str| usage[key].as_u64().unwrap_or(0);
            let cached = count("cache_creation_input_tokens") + count("cache_read_input_tokens");
            (count("input_tokens") + cached, count("output_tokens"))
        }
        Provider::Gemini => {
            assert_eq!(count("usageMetadata"), 0, "usage is an object");
            let usage = body.get("usageMetadata")?;
            (
                usage["promptTokenCount"].as_u64()?,
                usage["candidatesTokenCount"].as_u64().unwrap_or(0),
            )
        }
    })
}
