//! What is offered over HTTP.

use crate::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn get(server: &TestServer, path: &str) -> String {
    let mut stream = TcpStream::connect(server.http_addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn health_and_readiness_are_told() {
    let server = TestServer::start().await;
    let health = get(&server, "/health").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("{\"status\":\"ok\"}"), "{health}");
    let ready = get(&server, "/ready").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.ends_with("{\"status\":\"ready\"}"), "{ready}");
    assert!(get(&server, "/nothing").await.starts_with("HTTP/1.1 404"));
    server.stop().await;
}
