//! The trace server inside a program of one's own: `cargo run -p glassbox-server --example serve -- --store FILE`.
//!
//! It takes what `glassbox serve --json` is started with in tests, and prints the same line.
#![allow(clippy::print_stdout, reason = "a program tells where it listens")]

use glassbox_server::{Options, Server};
use std::error::Error;
use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value =
        |name: &str| arguments.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let store = PathBuf::from(value("--store").ok_or("name a file with --store")?);
    let mut options = Options::local(&store);
    if let Some(address) = value("--http") {
        options.http = address.parse()?;
    }
    options.grpc = None;
    let running = Server::bind(options).await?;
    let told = serde_json::json!({
        "url": running.url, "otlp": running.otlp, "token": running.token, "store": store,
    });
    println!("{told}");
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
