//! Answers that are no service's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::World;

/// A server whose answers never end. It counts them.
fn endless(status: &'static str, content_type: &'static str, begin: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            counted.fetch_add(1, Ordering::SeqCst);
            BufReader::new(&connection).read_line(&mut String::new()).expect("a request");
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n{begin}");
            let part = vec![b' '; 64 * 1024];
            let mut going = connection.write_all(head.as_bytes()).is_ok();
            while going {
                going = connection.write_all(&part).is_ok();
            }
        }
    });
    (url, count)
}

/// Without it, whatever answers in AWS's place could fill the memory until the machine stops, eight times over.
#[test]
fn an_answer_without_an_end_is_left_and_not_asked_for_again() {
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    world.write(
        "rotator.yaml",
        "version: 1\nproject: answers\nfunctions: {SecretsManagerOne: {code: code}}\nsecrets: {}\n",
    );
    for (status, content_type, begin) in [
        ("200 OK", "text/xml", "<GetCallerIdentityResponse>"),
        ("200 OK", "application/json", "{"),
        ("200 OK", "application/octet-stream", ""),
        ("503 Service Unavailable", "text/html", "<html>"),
    ] {
        let (url, asked) = endless(status, content_type, begin);
        let output = world.rotator(&["plan", "--endpoint-url", &url]).exits(1);
        output.says("sts:GetCallerIdentity").says("the answer is longer than 64 MB");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{status} {content_type}");
    }
}
