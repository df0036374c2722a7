//! A job as it is configured, and what becomes of it when a run's overrides are laid over it.
//! Every rule on the body of `jobs.run` is here; a body that breaks one is refused before anything starts.

use std::path::PathBuf;
use std::time::Duration;

use super::fields::Fields;
use super::refusal::Refusal;

const MOST_TASKS: i32 = 10_000;
const LONGEST_TASK: Duration = Duration::from_secs(168 * 3600);
const MOST_ENTRIES: usize = 1000;
const LONGEST_ENTRY: usize = 32_768;

/// A job: a program of this machine in place of a container image.
#[derive(Debug, Clone)]
pub struct Job {
    /// The short name.
    pub name: String,
    /// The program; it runs in `/`, as in a container without a working directory.
    pub command: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// At least 1.
    pub task_count: usize,
    /// How many tasks run at a time; 0 for all.
    pub parallelism: usize,
    /// How often a task that failed is started again.
    pub max_retries: u32,
    /// For each attempt.
    pub timeout: Duration,
}

impl Job {
    /// A job of one task with the platform's defaults: 3 retries, 600 s for an attempt.
    pub fn new(name: &str, command: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            task_count: 1,
            parallelism: 0,
            max_retries: 3,
            timeout: Duration::from_secs(600),
        }
    }

    /// Its only container's name, for overrides that name one.
    pub(crate) fn container(&self) -> String {
        format!("{}-1", self.name)
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"job-{}-1\"", self.name)
    }

    /// What is wrong with the configuration itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.task_count == 0 {
            return Err(format!("job '{}' has no tasks", self.name));
        }
        check_env(&self.env).map_err(|problem| format!("job '{}': {problem}", self.name))
    }

    /// The execution that a run with these overrides makes.
    pub(crate) fn plan(&self, overrides: Overrides) -> Plan {
        let mut env = self.env.clone();
        for (name, value) in overrides.env {
            match env.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => env.push((name, value)),
            }
        }
        let task_count = overrides.task_count.unwrap_or(self.task_count);
        let parallelism = if self.parallelism == 0 { task_count } else { self.parallelism.min(task_count) };
        Plan {
            job: self.name.clone(),
            container: self.container(),
            command: self.command.clone(),
            args: overrides.args.unwrap_or_else(|| self.args.clone()),
            env,
            task_count,
            parallelism,
            max_retries: self.max_retries,
            timeout: overrides.timeout.unwrap_or(self.timeout),
        }
    }
}

/// What one execution runs: the job with the overrides laid over it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) job: String,
    pub(crate) container: String,
    pub(crate) command: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) task_count: usize,
    pub(crate) parallelism: usize,
    pub(crate) max_retries: u32,
    pub(crate) timeout: Duration,
}

/// The body of `jobs.run`.
#[derive(Debug)]
pub(crate) struct RunOrder {
    pub(crate) validate_only: bool,
    pub(crate) overrides: Overrides,
}

/// What a run changes of its job.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    args: Option<Vec<String>>,
    env: Vec<(String, String)>,
    task_count: Option<usize>,
    timeout: Option<Duration>,
}

impl RunOrder {
    /// # Errors
    /// 400 for what is wrong with the body; 409 for another version of the job.
    pub(crate) fn read(body: &[u8], job: &Job) -> Result<Self, Refusal> {
        let mut fields = Fields::read(body)?;
        let validate_only = fields.flag("validateOnly")?;
        let etag = fields.text("etag")?;
        let overrides = match fields.object("overrides")? {
            Some(fields) => Overrides::read(fields, job)?,
            None => Overrides::default(),
        };
        fields.finish()?;
        if !etag.is_empty() && etag != job.etag() {
            return Err(Refusal::wrong_etag(&job.name));
        }
        Ok(Self { validate_only, overrides })
    }
}

/// Whether a body of `jobs.run` asks for overrides, which need a permission of their own.
pub(crate) fn has_overrides(body: &[u8]) -> bool {
    Fields::read(body).and_then(|mut fields| fields.object("overrides")).is_ok_and(|overrides| overrides.is_some())
}

impl Overrides {
    fn read(mut fields: Fields, job: &Job) -> Result<Self, Refusal> {
        let mut overrides = Self::default();
        let containers = fields.objects("containerOverrides")?;
        if let Some(second) = containers.get(1) {
            return Err(Refusal::invalid(second.path(), "The job has one container; it can be overridden once."));
        }
        for container in containers {
            overrides.container(container, job)?;
        }
        let tasks = fields.number("taskCount")?;
        let timeout = fields.duration("timeout")?;
        if !(0..=MOST_TASKS).contains(&tasks) {
            let problem = format!("Task count must be between 1 and {MOST_TASKS}.");
            return Err(Refusal::invalid("overrides.task_count", problem));
        }
        if timeout > LONGEST_TASK {
            let problem = format!("Timeout must be at most {} s.", LONGEST_TASK.as_secs());
            return Err(Refusal::invalid("overrides.timeout", problem));
        }
        // A value of 0 travels as an absent field does.
        overrides.task_count = usize::try_from(tasks).ok().filter(|count| *count > 0);
        overrides.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        fields.finish()?;
        Ok(overrides)
    }

    fn container(&mut self, mut fields: Fields, job: &Job) -> Result<(), Refusal> {
        let at = fields.path().to_owned();
        let name = fields.text("name")?;
        if !name.is_empty() && name != job.container() {
            let problem = format!("The job has no container '{name}'.");
            return Err(Refusal::invalid(&format!("{at}.name"), problem));
        }
        let args = fields.texts("args")?;
        let clear = fields.flag("clearArgs")?;
        if clear && !args.is_empty() {
            return Err(Refusal::invalid(&at, "Args cannot be given and cleared at once."));
        }
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err(Refusal::invalid(&format!("{at}.args"), "An argument holds a NUL character."));
        }
        self.args = (clear || !args.is_empty()).then_some(args);
        for mut entry in fields.objects("env")? {
            if let Some(source) = entry.object("valueSource")? {
                let problem = "This stand-in keeps no secrets: give the value itself.";
                return Err(Refusal::invalid(source.path(), problem));
            }
            self.env.push((entry.text("name")?, entry.text("value")?));
            entry.finish()?;
        }
        check_env(&self.env).map_err(|problem| Refusal::invalid(&format!("{at}.env"), problem))?;
        fields.finish()
    }
}

fn check_env(env: &[(String, String)]) -> Result<(), String> {
    if env.len() > MOST_ENTRIES {
        return Err(format!("At most {MOST_ENTRIES} environment variables can be given."));
    }
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!("'{}' is no environment variable.", name.escape_default()));
        }
        if name.len() > LONGEST_ENTRY || value.len() > LONGEST_ENTRY {
            return Err(format!("Names and values of environment variables have at most {LONGEST_ENTRY} characters."));
        }
    }
    let reserved: Vec<&str> = env.iter().map(|(name, _)| name.as_str()).filter(|name| is_reserved(name)).collect();
    if reserved.is_empty() {
        return Ok(());
    }
    let names = reserved.join(", ");
    Err(format!(
        "The following reserved env names were provided: {names}. These values are automatically set by the system."
    ))
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("CLOUD_RUN_")
}
