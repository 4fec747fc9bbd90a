//! What a server says of an error.

use serde_json::Value;

use super::Key;
use crate::error::HttpError;

/// Characters of a message that are kept.
const LONGEST: usize = 300;

/// What a server said, and by what code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// One line, without the key.
    pub message: String,
    /// The kinds that the provider names, in lower case: `insufficient_quota`, `model_not_found`.
    pub codes: String,
}

impl Said {
    /// Reads an error's body: JSON of one of the usual shapes, or text.
    pub fn read(body: &[u8], key: Option<&Key>) -> Said {
        let text = String::from_utf8_lossy(body);
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        // OpenAI: {"error": {"message", "type", "code"}}; Gemini: an array of those; Ollama: {"error": "..."};
        // Cohere: {"message"}; TEI and FastAPI: {"error", "error_type"}, {"detail"}.
        let json = match &json {
            Value::Array(all) => all.first().unwrap_or(&Value::Null),
            other => other,
        };
        let error = json.get("error").unwrap_or(json);
        let told =
            |of: &Value, name: &str| of.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let message = error.as_str().map(str::to_owned);
        let message = message
            .or_else(|| told(error, "message"))
            .or_else(|| told(json, "message"))
            .or_else(|| told(json, "detail"));
        let codes = ["code", "type", "status", "error_type"]
            .iter()
            .filter_map(|name| told(error, name).or_else(|| told(json, name)));
        let codes = codes.collect::<Vec<_>>().join(" ").to_lowercase();
        let message = message.unwrap_or_else(|| text.into_owned());
        // Before it is cut, so that no half of a key is left.
        let message = key.map_or_else(|| message.clone(), |key| key.redact(&message));
        Said { message: one_line(&message), codes }
    }

    /// Whether the account's credit is used up, which no wait mends.
    pub fn is_quota(&self) -> bool {
        ["insufficient_quota", "billing_hard_limit", "insufficient_credit"].iter().any(|code| self.codes.contains(code))
    }

    /// Whether it is about the size of what was sent.
    pub fn is_about_size(&self) -> bool {
        let text = self.message.to_lowercase();
        let words = [
            "too long",
            "too large",
            "too many",
            "maximum",
            "max_",
            "at most",
            "exceed",
            "longer than",
            "larger than",
            "context length",
            "context size",
            "batch size",
            "batch_size",
            "token limit",
            "must have less than",
            "less than or equal",
            "string_above_max_length",
            "array_above_max_length",
            "payload",
        ];
        words.iter().any(|word| text.contains(word) || self.codes.contains(word))
    }

    /// Whether it is about the request as such, so that fewer texts would not mend it.
    pub fn is_about_request(&self) -> bool {
        let text = self.message.to_lowercase();
        let codes =
            ["model_not_found", "invalid_api_key", "unsupported_parameter", "unknown_parameter", "invalid_model"];
        let words = [
            "api key",
            "api_key",
            "unknown model",
            "model not found",
            "does not exist",
            "does not support",
            "unsupported parameter",
            "dimension",
            "encoding_format",
            "unknown field",
            "unknown parameter",
            "extra inputs",
        ];
        codes.iter().any(|code| self.codes.contains(code)) || words.iter().any(|word| text.contains(word))
    }
}

/// A text on one line, cut.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if line.is_empty() => "no reason given".to_owned(),
        None => line,
    }
}

/// The error of a status that is not to be tried again.
pub(super) fn of_status(host: String, status: u16, said: &Said) -> HttpError {
    let message = said.message.clone();
    match status {
        _ if said.is_quota() || status == 402 => HttpError::Quota { host, status, message },
        401 | 403 => HttpError::Unauthorized { host, status, message },
        300..=399 => HttpError::Refused {
            host,
            status,
            message: "it redirects, which is not followed; give the URL that it leads to".to_owned(),
        },
        404 | 405 => HttpError::Refused {
            host,
            status,
            message: format!("{message}; look at the model's name and the base URL"),
        },
        _ => HttpError::Refused { host, status, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read(body.as_bytes(), None)
    }

    #[test]
    fn errors_of_all_shapes_are_read() {
        let openai = said(
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        );
        assert!(openai.is_quota() && openai.message.starts_with("You exceeded"));
        assert_eq!(said(r#"{"error":"model \"x\" not found"}"#).message, "model \"x\" not found");
        assert_eq!(
            said(r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#).codes,
            "400 invalid_argument"
        );
        assert_eq!(said(r#"{"message":"invalid api token"}"#).message, "invalid api token");
        assert_eq!(said(r#"{"detail":[{"loc":["body"]}]}"#).message, r#"[{"loc":["body"]}]"#);
        assert_eq!(said("<html>\n <b>502</b>\n</html>").message, "<html> <b>502</b> </html>");
        assert_eq!(said("").message, "no reason given");
        assert_eq!(said(&"가".repeat(1000)).message.chars().count(), LONGEST + 1);
    }

    #[test]
    fn sizes_are_told_from_other_mistakes() {
        for size in [
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens, however you requested 9000"}}"#,
            r#"{"error":"batch size 64 > maximum allowed batch size 32","error_type":"Validation"}"#,
            r#"{"message":"too many texts"}"#,
            r#"{"error":{"message":"Invalid 'input[3]': string too long.","code":"string_above_max_length"}}"#,
        ] {
            assert!(said(size).is_about_size() && !said(size).is_about_request(), "{size}");
        }
        let request = said(r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#);
        assert!(request.is_about_request() && !request.is_about_size());
    }

    #[test]
    fn a_key_that_comes_back_is_not_repeated() {
        let key = Key::new("sk-s3cret-and-long").unwrap();
        let body = format!("{}sk-s3cret-and-long", "x".repeat(LONGEST - 5));
        assert!(!Said::read(body.as_bytes(), Some(&key)).message.contains("sk-"));
    }
}
