//! The floor of every request: a server that reads a body and answers with 200 bytes of JSON,
//! stores nothing and decides nothing. Runs as a process of its own, as Florin does.

use std::convert::Infallible;
use std::io::Write as _;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::failure::Outcome;

/// Serves until it is stopped; the first line on stdout is its address.
pub async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let answer = Bytes::from(format!("{{\"echo\":\"{}\"}}", "x".repeat(189)));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| echo(request, answer.clone()));
            // A connection that breaks is the other side's business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn echo(
    request: Request<Incoming>,
    answer: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // The body is read whole, as a server that does something with it would.
    let _ = request.into_body().collect().await;
    Ok(Response::new(Full::new(answer)))
}
