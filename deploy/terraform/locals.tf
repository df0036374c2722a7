# Names that several files use.

locals {
  bucket_name  = coalesce(var.bucket_name, "${var.project_id}-drayage")
  folder       = var.landing_prefix == "" ? "" : "${var.landing_prefix}/"
  landing_uri  = join("/", compact(["gs:/", local.bucket_name, var.landing_prefix]))
  pipeline_uri = "gs://${local.bucket_name}/pipeline.yaml"

  # The three programs, each a job and an account of its own.
  programs = toset(["extract", "load", "orchestrator"])
  job_names = {
    extract      = "extract-job"
    load         = "load-job"
    orchestrator = "orchestrator"
  }

  datasets = merge([
    for project, names in var.warehouse_projects : {
      for role, name in { tables = names.dataset, staging = names.staging_dataset, logs = names.log_dataset } :
      "${project}/${role}" => { project = project, role = role, name = name }
    }
  ]...)
}
