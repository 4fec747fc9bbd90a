//! A model that calculates and looks things up by calling tools.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_agent
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::embed::builtin;
use gyeol::llm::{Agent, Llm, LlmOptions, Tool, schemars};
use gyeol::rag::search_tool;

/// What is to be calculated.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct Sum {
    /// An expression with numbers, + - * / and parentheses: (1 + 2) * 3.5
    expression: String,
}

/// Reads an expression by its grammar; nothing of it is ever run.
struct Parser<'a>(Peekable<Chars<'a>>);

impl Parser<'_> {
    fn calculate(text: &str) -> Result<f64, String> {
        let mut parser = Parser(text.chars().peekable());
        let value = parser.sum(0)?;
        match parser.next() {
            None => Ok(value),
            Some(c) => Err(format!("`{c}` does not belong here")),
        }
    }

    /// The next character that is no space, without taking it.
    fn next(&mut self) -> Option<char> {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
        self.0.peek().copied()
    }

    fn sum(&mut self, depth: usize) -> Result<f64, String> {
        let mut value = self.product(depth)?;
        while let Some(sign) = self.next().filter(|c| "+-".contains(*c)) {
            self.0.next();
            let other = self.product(depth)?;
            value = if sign == '+' { value + other } else { value - other };
        }
        Ok(value)
    }

    fn product(&mut self, depth: usize) -> Result<f64, String> {
        let mut value = self.factor(depth)?;
        while let Some(sign) = self.next().filter(|c| "*/".contains(*c)) {
            self.0.next();
            let other = self.factor(depth)?;
            match sign {
                '*' => value *= other,
                _ if other == 0.0 => return Err("division by zero".to_owned()),
                _ => value /= other,
            }
        }
        Ok(value)
    }

    fn factor(&mut self, depth: usize) -> Result<f64, String> {
        // A model may write anything; the stack is not endless.
        if depth > 100 {
            return Err("too many parentheses".to_owned());
        }
        match self.next() {
            Some('-') => {
                self.0.next();
                Ok(-self.factor(depth + 1)?)
            }
            Some('(') => {
                self.0.next();
                let value = self.sum(depth + 1)?;
                match self.next() {
                    Some(')') => self.0.next().map(|_| value).ok_or_else(String::new),
                    _ => Err("a parenthesis is not closed".to_owned()),
                }
            }
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let mut digits = String::new();
        while let Some(c) = self.0.next_if(|c| c.is_ascii_digit() || *c == '.') {
            digits.push(c);
        }
        digits.parse().map_err(|_| format!("a number is missing, or is none: `{digits}`"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    let folder = std::env::temp_dir().join(format!("gyeol-example-agent-{}", std::process::id()));
    let mut prices = Collection::open_or_create(&folder, builtin())?;
    let note = |(key, text): (&str, &str)| NewDocument { key: key.into(), text: text.into(), ..Default::default() };
    prices.upsert(&[("apples", "사과는 한 개에 1,200원이다."), ("pears", "배는 한 개에 3,500원이다.")].map(note))?;
    prices.commit()?;

    let calculator = Tool::new("calculator", "Calculates.", |sum: Sum| Parser::calculate(&sum.expression))?;
    let search = search_tool(Arc::new(prices), "price_list", "Searches the shop's price list, which is in Korean.")?;
    let agent = Agent::new(&llm).tool(calculator)?.tool(search)?.max_rounds(6);
    match agent.run("사과 세 개와 배 두 개는 모두 얼마야?") {
        Ok(run) => {
            for used in &run.uses {
                println!("{}. {}({}) = {}", used.round, used.name, used.arguments, used.result);
            }
            println!("{}", run.text);
        }
        // A tool that fails ends the run, and the program is told.
        Err(error) => println!("({error})"),
    }
    println!("without a model: {:?}, {:?}", Parser::calculate("-(1 + 2) * 3.5"), Parser::calculate("1 / (2 - 2)"));
    drop(agent);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// The model that the environment names.
fn model() -> Result<Llm, Box<dyn Error>> {
    let Ok(name) = std::env::var("GYEOL_CHAT_MODEL") else {
        eprintln!("set GYEOL_CHAT_MODEL to a chat model: ollama::qwen3, openai::gpt-4o-mini, ...");
        std::process::exit(2);
    };
    let base_url = std::env::var("GYEOL_CHAT_BASE_URL").ok();
    Ok(Llm::with(&name, LlmOptions { base_url, ..LlmOptions::default() })?)
}
