//! Asks for the settings of a connector, in the order of its spec. Every answer is judged at once, and asked for again with the reason.

use super::ask::{Ask, Check, Question};
use super::judge::Judge;
use super::setting::{Kind, Setting, settings, shown};
use super::stop::Stop;
use super::value::{at, put, read, remove};
use contract::secret::holds_reference;
use serde_json::{Map, Value};
use std::rc::Rc;

/// What an option is called that leaves a setting out.
const LEAVE_OUT: &str = "(leave it out)";
/// Where a person finds a way for secrets that lie elsewhere.
const HIDDEN: &str = "Not shown; goes into .env. A reference such as ${file:key.pem} stays as it is.";

/// Asks for all settings that `given` does not have yet; returns them all. Secrets are still in them.
///
/// # Errors
/// The person has given up.
pub(crate) fn interview(ask: &mut dyn Ask, judge: Rc<Judge>, given: Value) -> Result<Value, Stop> {
    let spec = judge.manifest.spec().cloned().unwrap_or_default();
    let mut interview = Interview { ask, judge, settings: given };
    interview.all(settings(&spec, &[]))?;
    Ok(interview.settings)
}

struct Interview<'a> {
    ask: &'a mut dyn Ask,
    judge: Rc<Judge>,
    settings: Value,
}

impl Interview<'_> {
    fn all(&mut self, settings: Vec<Setting<'_>>) -> Result<(), Stop> {
        for setting in settings.iter().filter(|setting| matches!(setting.kind(), Kind::Group)) {
            // Flags have set a part of it: the rest is asked for.
            if at(&self.settings, &setting.path).is_some_and(Value::is_object) {
                self.all(self::settings(setting.schema, &setting.path))?;
            }
        }
        let open = settings.into_iter().filter(|setting| at(&self.settings, &setting.path).is_none());
        let (required, optional): (Vec<_>, Vec<_>) = open.partition(|setting| setting.is_required);
        for setting in &required {
            self.one(setting)?;
        }
        // What can only be one thing is said without a question.
        let (fixed, optional): (Vec<_>, Vec<_>) =
            optional.into_iter().partition(|setting| matches!(setting.kind(), Kind::Fixed(_)));
        for setting in &fixed {
            self.one(setting)?;
        }
        let names: Vec<String> = optional.iter().map(Setting::key).collect();
        let question = Question::new("Set optional settings?", names.join(", "));
        if !optional.is_empty() && self.ask.confirm(&question, false)? {
            for setting in &optional {
                self.one(setting)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, setting: &Setting<'_>) -> Result<(), Stop> {
        let question = Question::new(setting.title(), setting.help());
        let default = setting.default();
        let value = match setting.kind() {
            Kind::Fixed(value) => Some(value.clone()),
            Kind::Choice(values) => self.choice(setting, &question, &values)?,
            Kind::Flag => {
                let default = default.and_then(Value::as_bool).unwrap_or_default();
                let answer = self.ask.confirm(&question, default)?;
                (setting.is_required || answer != default).then_some(Value::Bool(answer))
            }
            Kind::Secret => {
                let question = Question::new(question.title, format!("{} {HIDDEN}", question.help).trim_start());
                let answer = self.ask.secret(&question, self.check(setting))?;
                let answer = answer.expose().trim_end_matches(['\n', '\r']);
                (!answer.is_empty()).then(|| Value::String(answer.to_owned()))
            }
            Kind::Text => self.text(setting, &question)?,
            Kind::List => {
                let help = format!("{} Separate several by commas.", question.help);
                self.text(setting, &Question::new(question.title, help.trim_start()))?
            }
            Kind::Json => {
                let help = format!("{} Type it as JSON.", question.help);
                self.text(setting, &Question::new(question.title, help.trim_start()))?
            }
            Kind::Group => {
                return self.group(setting, |interview| interview.all(settings(setting.schema, &setting.path)));
            }
            Kind::OneOf(branches) => {
                return self.group(setting, |interview| {
                    let title = |branch: &Setting<'_>| branch.schema["title"].as_str().map(str::to_owned);
                    let options =
                        branches.iter().enumerate().map(|(i, b)| title(b).unwrap_or_else(|| format!("{}", i + 1)));
                    let chosen = interview.ask.choose(&question, &options.collect::<Vec<_>>(), 0)?;
                    let branch = branches.get(chosen).unwrap_or(setting);
                    interview.all(settings(branch.schema, &setting.path))
                });
            }
        };
        if let Some(value) = value {
            put(&mut self.settings, &setting.path, value);
        }
        Ok(())
    }

    fn choice(&mut self, setting: &Setting<'_>, question: &Question, values: &[&Value]) -> Result<Option<Value>, Stop> {
        let default = setting.default();
        let first = values.iter().position(|value| Some(*value) == default).unwrap_or_default();
        let mut options: Vec<String> = values.iter().map(|value| shown(value)).collect();
        if !setting.is_required && default.is_none() {
            options.push(LEAVE_OUT.into());
        }
        let chosen = self.ask.choose(question, &options, first)?;
        let value = values.get(chosen).map(|value| (*value).clone());
        Ok(value.filter(|value| setting.is_required || Some(value) != default))
    }

    fn text(&mut self, setting: &Setting<'_>, question: &Question) -> Result<Option<Value>, Stop> {
        let default = setting.default().map(shown).filter(|text| !text.is_empty());
        let mut question = question.clone();
        if !setting.is_required && default.is_none() {
            question.help.push_str(" Empty: leave it out.");
        }
        let text = self.ask.text(&question, default.as_deref(), self.check(setting))?;
        let value = (!text.trim().is_empty()).then(|| read(text.trim(), setting.schema));
        Ok(value.filter(|value| setting.is_required || Some(value) != setting.default()))
    }

    /// Asks for what is inside of a setting until the whole of it will do.
    fn group(
        &mut self,
        setting: &Setting<'_>,
        mut inside: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let question = Question::new(format!("Set {}?", setting.title()), setting.help());
        if !setting.is_required && !self.ask.confirm(&question, false)? {
            return Ok(());
        }
        loop {
            put(&mut self.settings, &setting.path, Value::Object(Map::new()));
            inside(self)?;
            let Some(reason) = self.judge.reason(&self.settings, setting) else { return Ok(()) };
            self.ask.tell(&format!("{}: {reason}", setting.title()));
            remove(&mut self.settings, &setting.path);
        }
    }

    /// Judges an answer together with those that were given before.
    fn check(&self, setting: &Setting<'_>) -> Check {
        let (judge, given) = (self.judge.clone(), self.settings.clone());
        let (path, schema, is_required) = (setting.path.clone(), setting.schema.clone(), setting.is_required);
        Rc::new(move |text: &str| {
            let setting = Setting { path: path.clone(), schema: &schema, is_required };
            let text = if setting.is_secret() { text.trim_end_matches(['\n', '\r']) } else { text.trim() };
            if text.is_empty() {
                return if is_required { Err("required".into()) } else { Ok(()) };
            }
            if setting.is_secret() && !text.contains('\n') && text.contains("-----BEGIN") && !holds_reference(text) {
                // The terminal hands on a pasted key line by line. Taken as an answer, its first line would be followed by questions
                // that show the others.
                return Err("it has several lines: put them into a file, and give ${file:PATH}".into());
            }
            let mut trial = given.clone();
            put(&mut trial, &path, read(text, &schema));
            judge.reason(&trial, &setting).map_or(Ok(()), Err)
        })
    }
}

#[cfg(test)]
mod tests;
