//! Which method a request means: its verb and path, taken apart.
//! Names keep what the client wrote; whether the things exist is decided later.

use axum::http::Method;

use super::fault::Call;

/// A request's path, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) project: &'a str,
    pub(crate) region: &'a str,
    pub(crate) target: Target<'a>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Job { job: &'a str },
    Run { job: &'a str },
    Executions { job: &'a str },
    Execution { job: &'a str, execution: &'a str },
    Cancel { job: &'a str, execution: &'a str },
    Tasks { job: &'a str, execution: &'a str },
    Operation { id: &'a str },
    Wait { id: &'a str },
}

impl<'a> Route<'a> {
    /// `None` when there is no such method.
    pub(crate) fn of(method: &Method, path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2/")?;
        // Only behind the last slash: a project's id may hold a colon too.
        let (rest, verb) = rest.rsplit_once(':').filter(|(_, verb)| !verb.contains('/')).unwrap_or((rest, ""));
        let parts: Vec<&str> = rest.split('/').collect();
        let ["projects", project, "locations", region, rest @ ..] = parts.as_slice() else { return None };
        let (get, post) = (method == Method::GET && verb.is_empty(), method == Method::POST);
        let target = match *rest {
            ["jobs", job] if get => Target::Job { job },
            ["jobs", job] if post && verb == "run" => Target::Run { job },
            ["jobs", job, "executions"] if get => Target::Executions { job },
            ["jobs", job, "executions", execution] if get => Target::Execution { job, execution },
            ["jobs", job, "executions", execution] if post && verb == "cancel" => Target::Cancel { job, execution },
            ["jobs", job, "executions", execution, "tasks"] if get => Target::Tasks { job, execution },
            ["operations", id] if get => Target::Operation { id },
            ["operations", id] if post && verb == "wait" => Target::Wait { id },
            _ => return None,
        };
        Some(Self { project, region, target })
    }
}

impl Target<'_> {
    pub(crate) fn call(&self) -> Call {
        match self {
            Self::Job { .. } => Call::GetJob,
            Self::Run { .. } => Call::Run,
            Self::Executions { .. } => Call::ListExecutions,
            Self::Execution { .. } => Call::GetExecution,
            Self::Cancel { .. } => Call::Cancel,
            Self::Tasks { .. } => Call::ListTasks,
            Self::Operation { .. } | Self::Wait { .. } => Call::Operation,
        }
    }

    /// The permission that the method needs.
    pub(crate) fn permission(&self) -> &'static str {
        match self {
            Self::Job { .. } => "run.jobs.get",
            Self::Run { .. } => "run.jobs.run",
            Self::Executions { .. } => "run.executions.list",
            Self::Execution { .. } => "run.executions.get",
            Self::Cancel { .. } => "run.executions.cancel",
            Self::Tasks { .. } => "run.tasks.list",
            Self::Operation { .. } | Self::Wait { .. } => "run.operations.get",
        }
    }

    /// The end of the resource's name, behind the location.
    pub(crate) fn resource(&self) -> String {
        match self {
            Self::Job { job } | Self::Run { job } | Self::Executions { job } => format!("jobs/{job}"),
            Self::Execution { job, execution } | Self::Cancel { job, execution } | Self::Tasks { job, execution } => {
                format!("jobs/{job}/executions/{execution}")
            }
            Self::Operation { id } | Self::Wait { id } => format!("operations/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_told_by_verb_and_path() {
        let place = "/v2/projects/p/locations/l";
        let target = |method: Method, rest: &str| {
            Route::of(&method, &format!("{place}{rest}")).map(|route| format!("{:?}", route.target))
        };
        let some = |target: Target<'_>| Some(format!("{target:?}"));
        assert_eq!(target(Method::POST, "/jobs/j:run"), some(Target::Run { job: "j" }));
        assert_eq!(target(Method::GET, "/jobs/j"), some(Target::Job { job: "j" }));
        assert_eq!(target(Method::GET, "/jobs/-/executions"), some(Target::Executions { job: "-" }));
        assert_eq!(
            target(Method::POST, "/jobs/j/executions/e:cancel"),
            some(Target::Cancel { job: "j", execution: "e" })
        );
        assert_eq!(target(Method::POST, "/operations/o:wait"), some(Target::Wait { id: "o" }));
        for (method, rest) in [
            (Method::GET, "/jobs/j:run"),
            (Method::POST, "/jobs/j"),
            (Method::POST, "/jobs/j/executions/e"),
            (Method::DELETE, "/jobs/j"),
            (Method::GET, "/jobs"),
            (Method::GET, ""),
        ] {
            assert_eq!(target(method, rest), None, "{rest}");
        }
        let old = Route::of(&Method::GET, "/v2/projects/acme.com:p/locations/l/jobs/j").map(|route| route.project);
        assert_eq!(old, Some("acme.com:p"));
        assert_eq!(Route::of(&Method::GET, "/v1/projects/p/locations/l/jobs/j"), None);
    }
}
