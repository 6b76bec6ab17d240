//! What reports are written as, and the JSON Schema that describes it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::lab::{Lab, play};
use super::zone::Standing;

/// Looks whether a value is what a schema says, and whether the schema has all of its fields. Of JSON Schema, what
/// `docs/probe.schema.json` uses is known; another keyword is an error.
fn check(value: &Value, schema: &Value, root: &Value, at: &str, wrong: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(value, &root["$defs"][name], root, at, wrong);
            }
            "anyOf" => {
                let fits = |one: &Value| {
                    let mut none = Vec::new();
                    check(value, one, root, at, &mut none);
                    none
                };
                let all: Vec<Vec<String>> = rule.as_array().unwrap().iter().map(fits).collect();
                if !all.iter().any(Vec::is_empty) {
                    wrong.extend(all.into_iter().next().unwrap());
                }
            }
            "const" if value != rule => wrong.push(format!("{at} is {value}, not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => wrong.push(format!("{at} is {value}")),
            "const" | "enum" => {}
            "type" => {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                if rule != kind && !rule.as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind)) {
                    wrong.push(format!("{at} is of the type {kind}"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, rule, root, &format!("{at}[{index}]"), wrong);
                }
            }
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    match rule.get(name) {
                        Some(rule) => check(field, rule, root, &format!("{at}.{name}"), wrong),
                        None => wrong.push(format!("{at}.{name} is not in the schema")),
                    }
                }
            }
            "required" => {
                let missing =
                    rule.as_array().unwrap().iter().filter(|name| value.get(name.as_str().unwrap()).is_none());
                wrong.extend(missing.map(|name| format!("{at} lacks {name}")));
            }
            other => panic!("the test does not know {other}"),
        }
    }
}

#[test]
fn every_report_is_as_the_schema_says() {
    // A published crate comes without the project's documentation.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/probe.schema.json");
    let Ok(text) = fs::read_to_string(path) else { return };
    let schema: Value = serde_json::from_str(&text).unwrap();
    let changes: [fn(&mut Lab); 11] = [
        |_| {},
        |lab| {
            lab.zone.stands("example.test", Standing::Failing);
        },
        |lab| {
            lab.zone.stands("mx2.example.test", Standing::Bogus);
        },
        |lab| lab.target = "nowhere.test",
        |lab| lab.target = "[127.0.0.1]",
        |lab| lab.target = "[mx2.example.test]",
        |lab| lab.servers.clear(),
        |lab| lab.change = |probe| probe.exclude(["127.0.0.1".parse().unwrap()]),
        |lab| lab.policy_host = "www.example.test",
        |lab| {
            lab.tlsa("mx1.example.test", "3 1 9 00").zone.add("_mta-sts.example.test TXT v=STSv1; id=2;");
            lab.serve("127.0.0.2", |setup, _| {
                play(setup, "S: 220 mx2.example.test\nC: EHLO probe.example\nS: *close*")
            });
            lab.change = |probe| probe.allow_private(true);
        },
        |lab| {
            lab.change = |probe| {
                let envelope = mconnect_core::protocol::Envelope::new(None).to("nobody@example.test".parse().unwrap());
                probe.recipients(envelope).family(mconnect_core::Family::V4)
            };
            lab.zone.add("mx1.example.test AAAA ::1");
        },
    ];
    let mut wrong = Vec::new();
    for (index, change) in changes.into_iter().enumerate() {
        let mut lab = Lab::new();
        change(&mut lab);
        let value = serde_json::to_value(lab.probe()).unwrap();
        check(&value, &schema, &schema, &format!("report {index}"), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The check itself finds what is wrong.
    check(&serde_json::json!({"version": 2, "news": 1}), &schema, &schema, "", &mut wrong);
    let told = wrong.join("\n");
    assert!(["is 2, not 1", ".news is not in", "lacks \"target\""].iter().all(|words| told.contains(words)), "{told}");
}
