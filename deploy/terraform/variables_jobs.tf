# How large the jobs are, when they run, how long things are kept and who is told.
# Every default is a working one.

variable "extract" {
  description = "The extract job: cpus, memory, hours for one attempt of a task, retries of a task. A retry skips the batches that are complete."
  type = object({
    cpu           = optional(string, "2")
    memory        = optional(string, "1Gi")
    timeout_hours = optional(number, 12)
    max_retries   = optional(number, 1)
  })
  default = {}

  validation {
    condition     = var.extract.timeout_hours > 0 && var.extract.timeout_hours <= 168
    error_message = "Cloud Run gives a task at most 168 hours."
  }

  validation {
    condition     = var.extract.max_retries >= 0 && var.extract.max_retries <= 10
    error_message = "0 to 10 retries."
  }
}

variable "load" {
  description = "The load job, as for extract. Temporary files count as memory on Cloud Run."
  type = object({
    cpu           = optional(string, "2")
    memory        = optional(string, "4Gi")
    timeout_hours = optional(number, 6)
    max_retries   = optional(number, 1)
  })
  default = {}

  validation {
    condition     = var.load.timeout_hours > 0 && var.load.timeout_hours <= 168
    error_message = "Cloud Run gives a task at most 168 hours."
  }

  validation {
    condition     = var.load.max_retries >= 0 && var.load.max_retries <= 10
    error_message = "0 to 10 retries."
  }
}

variable "orchestrator" {
  description = "The orchestrator job, as for extract. It waits for the other two; a retried orchestrator goes on with its own run."
  type = object({
    cpu           = optional(string, "1")
    memory        = optional(string, "512Mi")
    timeout_hours = optional(number, 48)
    max_retries   = optional(number, 3)
  })
  default = {}

  validation {
    condition     = var.orchestrator.timeout_hours > 0 && var.orchestrator.timeout_hours <= 168
    error_message = "Cloud Run gives a task at most 168 hours."
  }

  validation {
    condition     = var.orchestrator.max_retries >= 0 && var.orchestrator.max_retries <= 10
    error_message = "0 to 10 retries."
  }

  validation {
    condition     = var.orchestrator.timeout_hours >= var.extract.timeout_hours + var.load.timeout_hours
    error_message = "The orchestrator waits for both jobs: its hours must be at least theirs together."
  }
}

variable "env" {
  description = "Environment variables of all three jobs, for example { DRAYAGE_LOG = \"debug\" }. No secrets: they would be in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.env) : !startswith(name, "CLOUD_RUN_")])
    error_message = "Names that begin with CLOUD_RUN_ belong to Cloud Run."
  }
}

variable "schedule" {
  description = "When a run starts, as a cron expression of five fields."
  type        = string
  default     = "0 3 * * *"

  validation {
    condition     = length(split(" ", trimspace(var.schedule))) == 5
    error_message = "Five fields: minute, hour, day of the month, month, day of the week."
  }
}

variable "time_zone" {
  description = "The time zone of the schedule, for example America/New_York."
  type        = string
  default     = "Etc/UTC"
}

variable "paused" {
  description = "Whether the schedule rests."
  type        = bool
  default     = false
}

variable "batch_days" {
  description = "Days that batches are kept in the landing zone; so long a run can be loaded again."
  type        = number
  default     = 30

  validation {
    condition     = var.batch_days >= 1
    error_message = "At least one day."
  }
}

variable "reject_days" {
  description = "Days that rejected records are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.reject_days >= 1
    error_message = "At least one day."
  }
}

variable "run_days" {
  description = "Days that plans and reports of runs are kept; at least as long as the batches, which cannot be loaded without them."
  type        = number
  default     = 180

  validation {
    condition     = var.run_days >= var.batch_days
    error_message = "At least batch_days."
  }
}

variable "staging_hours" {
  description = "Hours after which a staging table expires that a killed load has left behind."
  type        = number
  default     = 24

  validation {
    condition     = var.staging_hours >= 1
    error_message = "BigQuery wants at least one hour."
  }
}

variable "soft_delete_days" {
  description = "Days that a deleted or overwritten object can be brought back; 0 turns this off. Checkpoints are worth it."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "0, or 7 to 90."
  }
}

variable "alert_emails" {
  description = "Who gets an e-mail when a run fails or cannot be started."
  type        = set(string)
  default     = []
}
