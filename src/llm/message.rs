//! What is said in a conversation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Message {
    /// What the user says.
    User {
        /// The text.
        text: String,
    },
    /// What the model says.
    Assistant {
        /// The text; may be empty where tools are called.
        text: String,
        /// The tools that it calls.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    /// What a tool gave back.
    Tool {
        /// The call that it answers.
        id: String,
        /// The tool.
        name: String,
        /// What it gave.
        result: String,
    },
}

impl Message {
    /// What the user says.
    pub fn user(text: impl Into<String>) -> Message {
        Message::User { text: text.into() }
    }

    /// What the model says.
    pub fn assistant(text: impl Into<String>) -> Message {
        Message::Assistant { text: text.into(), calls: Vec::new() }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Message::User { text } | Message::Assistant { text, .. } => text,
            Message::Tool { result, .. } => result,
        }
    }
}

/// A tool that the model wants to be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What the result is told by.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON, if it did well.
    pub arguments: String,
    /// What the provider wants to see again with the call, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl ToolCall {
    /// The arguments as an object, for protocols that take nothing else; an empty one where the model wrote none.
    pub(super) fn object(&self) -> Value {
        let object = serde_json::from_str::<Value>(&self.arguments).ok().filter(Value::is_object);
        object.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

/// A tool as a model is told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to call it.
    pub description: String,
    /// The JSON schema of its arguments, an object.
    pub parameters: Value,
}

/// The form that a reply must have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Shape {
    pub name: String,
    /// A JSON schema of an object without optional members.
    pub schema: Value,
}
