//! A model that calculates and looks things up by calling tools.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_agent
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;
use std::sync::Arc;

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::embed::builtin;
use gyeol::error::LlmError;
use gyeol::llm::{Agent, Llm, LlmOptions, Tool, schemars};
use gyeol::rag::search_tool;

/// What is to be calculated.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct Sum {
    /// An expression with numbers, + - * / and parentheses: (1 + 2) * 3.5
    expression: String,
}

/// What is left of an expression. It is read by its grammar, a function for each rank; nothing of it is ever run.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn calculate(text: &str) -> Result<f64, String> {
        let mut parser = Parser(text.trim_start());
        let value = parser.sum(0)?;
        match parser.0 {
            "" if value.is_finite() => Ok(value),
            "" => Err("the result is too large".to_owned()),
            rest => Err(format!("`{rest}` does not belong here")),
        }
    }

    /// Takes one of the signs, if one comes next.
    fn take(&mut self, signs: &[char]) -> Option<char> {
        let sign = self.0.chars().next().filter(|c| signs.contains(c))?;
        self.0 = self.0[sign.len_utf8()..].trim_start();
        Some(sign)
    }

    fn sum(&mut self, depth: usize) -> Result<f64, String> {
        let mut value = self.product(depth)?;
        while let Some(sign) = self.take(&['+', '-']) {
            let other = self.product(depth)?;
            value += if sign == '+' { other } else { -other };
        }
        Ok(value)
    }

    fn product(&mut self, depth: usize) -> Result<f64, String> {
        let mut value = self.factor(depth)?;
        while let Some(sign) = self.take(&['*', '/']) {
            match self.factor(depth)? {
                other if sign == '*' => value *= other,
                0.0 => return Err("division by zero".to_owned()),
                other => value /= other,
            }
        }
        Ok(value)
    }

    fn factor(&mut self, depth: usize) -> Result<f64, String> {
        // A model may write anything; the stack is not endless.
        if depth > 100 {
            return Err("it is nested too deeply".to_owned());
        }
        if self.take(&['-']).is_some() {
            return Ok(-self.factor(depth + 1)?);
        }
        if self.take(&['(']).is_some() {
            let value = self.sum(depth + 1)?;
            return self.take(&[')']).map(|_| value).ok_or_else(|| "a parenthesis is not closed".to_owned());
        }
        let end = self.0.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(end);
        self.0 = rest.trim_start();
        number.parse().map_err(|_| format!("`{number}{rest}` does not begin with a number"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    let folder = tempfile::tempdir()?;
    let mut prices = Collection::open_or_create(folder.path(), builtin())?;
    let note = |(key, text): (&str, &str)| NewDocument { key: key.into(), text: text.into(), ..Default::default() };
    prices.upsert(&[("apples", "사과는 한 개에 1,200원이다."), ("pears", "배는 한 개에 3,500원이다.")].map(note))?;
    prices.commit()?;

    let calculator = Tool::new("calculator", "Calculates.", |sum: Sum| Parser::calculate(&sum.expression))?;
    let search = search_tool(Arc::new(prices), "price_list", "Searches the shop's price list, which is in Korean.")?;
    let agent = Agent::new(&llm).tool(calculator)?.tool(search)?.max_rounds(6);
    // A question of your own goes behind `--`.
    let question = std::env::args().nth(1).unwrap_or_else(|| "사과 세 개와 배 두 개는 모두 얼마야?".to_owned());
    match agent.run(&question) {
        Ok(run) => {
            run.uses.iter().for_each(|u| println!("{}. {}({}) = {}", u.round, u.name, u.arguments, u.result));
            println!("{}", run.text);
        }
        // A tool that fails ends the run, and the program is told.
        Err(error @ LlmError::Tool { .. }) => println!("({error})"),
        Err(error) => return Err(error.into()),
    }
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
