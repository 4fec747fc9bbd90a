//! A filter's operators and conditions in a row, each operator before what it joins: nothing here recurses, however
//! deep a filter nests.

use std::fmt;

use super::condition::Condition;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// So many filters follow, of which all must hold.
    All(usize),
    /// So many filters follow, of which one must hold.
    Any(usize),
    /// One filter follows, which must not hold.
    Not,
    Holds(Condition),
}

impl Step {
    /// How many filters it joins.
    fn joins(&self) -> usize {
        match self {
            Step::All(n) | Step::Any(n) => *n,
            Step::Not => 1,
            Step::Holds(_) => 0,
        }
    }
}

/// What conditions evaluate to: one `bool`, or one for each chunk.
pub(in crate::collection) trait Truth {
    fn and(&mut self, other: Self);
    fn or(&mut self, other: Self);
    fn negate(&mut self);
}

impl Truth for bool {
    fn and(&mut self, other: bool) {
        *self &= other;
    }

    fn or(&mut self, other: bool) {
        *self |= other;
    }

    fn negate(&mut self) {
        *self = !*self;
    }
}

/// An operator of which some filters are still to come.
struct Open<'a, T> {
    step: &'a Step,
    to_come: usize,
    value: Option<T>,
}

/// Evaluates the conditions and joins what comes out; `None` of no steps. At most as many values are held at once as
/// the filter nests deep.
pub(super) fn fold<T: Truth, E>(
    steps: &[Step],
    mut holds: impl FnMut(&Condition) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let mut open: Vec<Open<'_, T>> = Vec::new();
    for step in steps {
        let Step::Holds(condition) = step else {
            open.push(Open { step, to_come: step.joins(), value: None });
            continue;
        };
        let mut value = holds(condition)?;
        loop {
            let Some(last) = open.last_mut() else { return Ok(Some(value)) };
            last.to_come = last.to_come.saturating_sub(1);
            if let Some(mut before) = last.value.take() {
                if let Step::Any(_) = last.step {
                    before.or(value)
                } else {
                    before.and(value)
                }
                value = before;
            }
            if last.to_come > 0 {
                last.value = Some(value);
                break;
            }
            if *last.step == Step::Not {
                value.negate();
            }
            open.pop();
        }
    }
    Ok(None)
}

/// How many operators stand within each other.
pub(super) fn depth(steps: &[Step]) -> usize {
    let mut open: Vec<usize> = Vec::new();
    let mut deepest = 0;
    for step in steps {
        if step.joins() > 0 {
            open.push(step.joins());
            deepest = deepest.max(open.len());
            continue;
        }
        while let Some(to_come) = open.last_mut() {
            *to_come -= 1;
            if *to_come > 0 {
                break;
            }
            open.pop();
        }
    }
    deepest
}

/// Writes the filter as it is read, with parentheses only where they are needed.
pub(super) fn write(steps: &[Step], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // The operator, the filters to come, and whether it stands in parentheses.
    let mut open: Vec<(&Step, usize, bool)> = Vec::new();
    let mut negated = false;
    for (i, step) in steps.iter().enumerate() {
        match step {
            // `a != 1` rather than `not a = 1`.
            Step::Not if matches!(steps.get(i + 1), Some(Step::Holds(_))) => negated = true,
            Step::Not => f.write_str("not ")?,
            Step::All(_) | Step::Any(_) => {
                let around = open.last().map(|(step, ..)| *step);
                let bare = matches!((step, around), (_, None) | (Step::All(_), Some(Step::Any(_))));
                f.write_str(if bare { "" } else { "(" })?;
                open.push((step, step.joins(), !bare));
                continue;
            }
            Step::Holds(condition) if negated => condition.write_negated(f)?,
            Step::Holds(condition) => write!(f, "{condition}")?,
        }
        if *step == Step::Not {
            if !negated {
                open.push((step, 1, false));
            }
            continue;
        }
        negated = false;
        while let Some((operator, to_come, in_parentheses)) = open.last_mut() {
            *to_come -= 1;
            if *to_come > 0 {
                f.write_str(if matches!(operator, Step::All(_)) { " and " } else { " or " })?;
                break;
            }
            f.write_str(if *in_parentheses { ")" } else { "" })?;
            open.pop();
        }
    }
    Ok(())
}
