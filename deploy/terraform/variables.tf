# What differs from one installation to the next: place, pipeline, warehouse, secrets.
# Sizes and times are in variables_jobs.tf.

variable "project_id" {
  description = "The project of the jobs, the bucket and the secrets. One project holds one pipeline."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project's id (not its name or number): 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "The region of the jobs, the image and the builds, for example us-central1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region such as us-central1 or europe-west1."
  }
}

variable "scheduler_region" {
  description = "The region of Cloud Scheduler, which is not offered everywhere; null: the region of the jobs."
  type        = string
  default     = null
}

variable "location" {
  description = "The location of the bucket and the datasets: US, EU or a region. They must be together, and neither can move later."
  type        = string

  validation {
    condition     = can(regex("^(US|EU|[a-z]+-[a-z]+[0-9]+)$", var.location))
    error_message = "US, EU or a region such as us-central1."
  }
}

variable "bucket_name" {
  description = "The bucket of the landing zone; null: <project_id>-drayage."
  type        = string
  default     = null
}

variable "landing_prefix" {
  description = "The folder in the bucket below which the landing zone lies, without slashes at its ends; empty: the bucket itself."
  type        = string
  default     = "landing"

  validation {
    condition     = can(regex("^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$", var.landing_prefix))
    error_message = "Letters, digits, `.`, `_` and `-`, folders separated by single slashes, none at the ends."
  }
}

variable "pipeline_file" {
  description = "The pipeline file on this machine, which is put into the bucket as pipeline.yaml; null: you put it there yourself."
  type        = string
  default     = null

  validation {
    condition     = var.pipeline_file == null ? true : fileexists(var.pipeline_file)
    error_message = "There is no such file (a relative path starts at this folder)."
  }
}

variable "warehouse_projects" {
  description = "The BigQuery projects that tables are loaded into, by project id, each with the names of its datasets."
  type = map(object({
    dataset         = optional(string, "bronze")
    staging_dataset = optional(string, "staging")
    log_dataset     = optional(string, "management")
  }))

  validation {
    condition     = length(var.warehouse_projects) > 0
    error_message = "At least one project, for example { \"acme-data\" = {} }."
  }
}

variable "create_datasets" {
  description = "Whether to create the datasets; false: they are there already, and only access to them is granted."
  type        = bool
  default     = true
}

variable "load_may_create_datasets" {
  description = "Whether the load job may create datasets in the warehouse projects. It needs no such right with the datasets above."
  type        = bool
  default     = false
}

variable "api_secrets" {
  description = "Secrets that the extract job reads (names, never values): what pipeline.yaml names as $${secret:...} below sources."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.api_secrets : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "A secret's name has letters, digits, `_` and `-`."
  }
}

variable "slack_webhook_secret" {
  description = "The secret that holds Slack's webhook URL, read by the orchestrator alone; null: no Slack."
  type        = string
  default     = null
}

variable "image" {
  description = "The image that the jobs are created with; null: no jobs yet (the first apply, before the first build). Later images come from Cloud Build."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels on everything that can carry them."
  type        = map(string)
  default     = { app = "drayage" }
}
