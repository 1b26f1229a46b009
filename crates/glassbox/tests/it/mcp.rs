//! Tools of MCP servers: a real server, as a child process and over HTTP.

use crate::provider::serve;
use crate::stage::Stage;
use axum::Router;
use glassbox::mcp::McpServer;
use glassbox::trace::span::{Detail, Status};
use glassbox::{ErrorKind, Lm, Module, ReAct, Reply, Signature, ToolOutcome, Toolbox};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    ListToolsResult, PaginatedRequestParams, RequestParamsMeta, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A server with a few tools: one that tells the trace it is in, one that adds, one that fails, one that hangs.
#[derive(Clone)]
struct Abacus;

impl ServerHandler for Abacus {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |name: &'static str, description: &'static str, schema: Value| {
            Tool::new(name, description, schema.as_object().unwrap().clone())
        };
        let number = json!({ "type": "number" });
        let numbers = json!({ "type": "object", "properties": { "a": number, "b": number }, "required": ["a", "b"] });
        let nothing = json!({ "type": "object" });
        Ok(ListToolsResult::with_all_items(vec![
            tool("abacus/add", "Adds.", numbers),
            tool("trace", "Tells the trace.", nothing.clone()),
            tool("fail", "Fails.", nothing.clone()),
            tool("hang", "Hangs.", nothing),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        let result = match request.name.as_ref() {
            "abacus/add" => {
                let sum = arguments["a"].as_f64().unwrap() + arguments["b"].as_f64().unwrap();
                CallToolResult::structured(json!({ "sum": sum }))
            }
            "trace" => {
                let parent = request.traceparent().or_else(|| context.meta.get_traceparent());
                CallToolResult::success(vec![ContentBlock::text(parent.unwrap_or("none"))])
            }
            "fail" => CallToolResult::error(vec![ContentBlock::text("the beads are stuck")]),
            _ => std::future::pending().await,
        };
        Ok(CallToolResponse::Complete(result))
    }
}

/// Starts the server over HTTP and returns its address.
async fn over_http() -> String {
    let service = StreamableHttpService::new(
        || Ok(Abacus),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    format!("{}/mcp", serve(Router::new().nest_service("/mcp", service)).await)
}

const CHILD: &str = "GLASSBOX_TEST_MCP_CHILD";

/// The server as a child process: this very program, told to run the test below and nothing else. What the test
/// harness writes is led away from the stream that the server writes to.
fn child() -> Command {
    let mut command = Command::new("sh");
    let this = std::env::current_exe().unwrap();
    command
        .args([
            "-c",
            "exec 3>&1 1>/dev/null 2>&1; exec \"$0\" --exact mcp::the_child_serves --nocapture",
        ])
        .arg(this)
        .env(CHILD, "1");
    command
}

#[tokio::test]
async fn the_child_serves() {
    #[expect(clippy::disallowed_methods, reason = "tells the child process from the test")]
    let is_child = std::env::var_os(CHILD).is_some();
    if !is_child {
        return;
    }
    let output = std::fs::OpenOptions::new().write(true).open("/dev/fd/3").unwrap();
    let transport = (tokio::io::stdin(), tokio::fs::File::from_std(output));
    let server = Abacus.serve(transport).await.unwrap();
    server.waiting().await.unwrap();
    // Nobody reads what the harness would say now, and a blocked read of the input must not keep the process.
    std::process::exit(0);
}

async fn call(stage: &Stage, tools: &Toolbox, name: &str, arguments: Value) -> ToolOutcome {
    stage.scope().run(tools.call(name, arguments, None)).await.unwrap()
}

/// All that a server's tools have to do, whatever the transport.
async fn check(server: McpServer, network: &str) {
    let tools = Toolbox::new()
        .with_all(server.tools().into_iter().filter(|tool| !format!("{tool:?}").contains("hang")))
        .with_timeout(server.tools().pop().unwrap(), Duration::from_millis(50));
    drop(server);
    assert_eq!(tools.names().collect::<Vec<_>>(), ["abacus_add", "trace", "fail", "hang"]);

    let stage = Stage::new();
    let sum = call(&stage, &tools, "abacus_add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!((sum.text.as_ref(), sum.failed), (r#"{"sum":3.0}"#, false));
    let wrong = call(&stage, &tools, "abacus_add", json!({ "a": "one" })).await;
    assert!(wrong.failed && wrong.text.contains("\"b\" is a required property"), "{}", wrong.text);
    let failed = call(&stage, &tools, "fail", json!({})).await;
    assert_eq!((failed.text.as_ref(), failed.failed), ("the beads are stuck", true));
    let late = call(&stage, &tools, "hang", json!({})).await;
    assert!(late.text.contains("no result within 50ms"), "{}", late.text);

    // The server's spans come below the tool's.
    let told = call(&stage, &tools, "trace", json!({})).await;
    let span = stage.span("execute_tool trace");
    assert_eq!(told.text.as_ref(), format!("00-{}-{}-01", span.trace_id, span.span_id));
    assert!(span.attributes.contains(&("mcp.method.name".into(), "tools/call".into())));
    assert!(span.attributes.contains(&("network.transport".into(), network.into())));
    assert!(
        matches!(&span.detail, Detail::Tool(tool) if tool.description.as_deref() == Some("Tells the trace."))
    );
    assert!(
        matches!(&stage.span("execute_tool hang").status, Status::Error(error) if &*error.kind == "timeout")
    );
}

#[tokio::test]
async fn a_server_over_http() {
    check(McpServer::http(&over_http().await).await.unwrap(), "tcp").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_as_a_child_process() {
    check(McpServer::stdio(child()).await.unwrap(), "pipe").await;
}

/// Add up.
#[derive(Signature)]
struct Sum {
    #[input]
    task: String,
    #[output]
    sum: f64,
}

#[tokio::test]
async fn an_agent_calls_the_tools_of_a_server() {
    let server = McpServer::http(&over_http().await).await.unwrap();
    let lm = Lm::scripted([
        Reply::calls([("abacus_add", json!({ "a": 19, "b": 23 })), ("fail", json!({}))]),
        Reply::call("finish", json!({ "sum": 42 })),
    ]);
    let agent = ReAct::<Sum>::new(&lm, Toolbox::new().with_all(server.tools()));
    let stage = Stage::new();
    let reply =
        stage.scope().run(agent.call(SumInput { task: "19 + 23".to_owned() })).await.unwrap();
    assert_eq!(reply.sum, 42.0);
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Sum) [agent]
      turn 1 [span]
        chat scripted [generation]
        execute_tool abacus_add [tool]
        execute_tool fail [tool] error: tool_error
      turn 2 [span]
        chat scripted [generation]
    ");
}

#[tokio::test]
async fn servers_that_are_none_are_told() {
    let error = McpServer::stdio(Command::new("/no/such/mcp-server")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("\"/no/such/mcp-server\" cannot be started"), "{error}");
    // A program that ends at once, and an address where nobody listens.
    let ended =
        timeout(Duration::from_secs(30), McpServer::stdio(Command::new("true"))).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Network);
    let nobody =
        timeout(Duration::from_secs(30), McpServer::http("http://127.0.0.1:1/mcp")).await.unwrap();
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Network);
    assert_eq!(McpServer::http("localhost").await.unwrap_err().kind(), ErrorKind::Config);
    let header = McpServer::http_with_headers("http://127.0.0.1:1/mcp", [("a b", "c")]).await;
    assert!(header.unwrap_err().to_string().contains("the header \"a b\""));
}
