use std::process::Output;

use serde_json::Value;

use super::common::{Scrap, assert_status, err, out, run};
use super::told::serve;
use super::zone;

/// Domains that share an exchanger.
fn zone(count: usize) -> String {
    let domain = |index| format!("d{index}.test MX 10 mx1.example.test");
    let domains: Vec<String> = (0..count).map(domain).collect();
    domains.join("\n") + "\nmx1.example.test A 127.0.0.2"
}

fn targets(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("d{index}.test")).collect()
}

fn probe(zone: &str, port: u16, args: &[&str], input: &str) -> Output {
    let (resolver, port) = (zone::serve(zone).to_string(), port.to_string());
    run(&[&["--probe", "--resolver", &resolver, "-p", &port], args].concat(), input)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn inputs(lines: &[Value]) -> Vec<&str> {
    let mut inputs: Vec<&str> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    inputs.sort_unstable();
    inputs
}

#[test]
fn every_target_has_a_line_and_an_exchanger_of_many_is_asked_once() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let input = targets(50).join("\n") + "\n\n# a note\nnowhere.test\na@b\n";
    let args = ["--json", "--targets", "-", "--allow-private"];
    let output = probe(&zone(50), server.port(), &args, &input);
    assert_status(&output, 0);
    let lines = lines(&out(&output));
    let mut expected = targets(50);
    expected.extend(["nowhere.test", "a@b"].map(str::to_owned));
    expected.sort_unstable();
    assert_eq!(inputs(&lines), expected);
    assert_eq!(server.sessions().len(), 1);
    assert_eq!(err(&output), "");
    let of = |input: &str| lines.iter().find(|line| line["input"] == input).unwrap();
    assert_eq!(of("a@b")["status"], "invalid");
    assert_eq!(of("a@b")["report"], Value::Null);
    assert_eq!(of("nowhere.test")["status"], "failure");
    assert_eq!(of("d7.test")["status"], "fine");
    let session = &of("d7.test")["report"]["exchangers"][0]["addresses"][0]["session"];
    assert_eq!(session["tls"]["certificates"], serde_json::json!([]));
    assert_eq!(session["greeting"]["code"], 220);
}
