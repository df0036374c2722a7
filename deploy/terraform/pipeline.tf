# What the pipeline file says, to find contradictions with the variables before anything is applied (preconditions in storage.tf).
# The programs check the file itself; here only what they cannot see is compared.

locals {
  pipeline_text = var.pipeline_file == null ? "" : file(var.pipeline_file)
  pipeline      = try(yamldecode(local.pipeline_text), null)

  # A text, or a map with a path.
  pipeline_landing = trimsuffix(try(local.pipeline.landing.path, local.pipeline.landing, ""), "/")

  known_secrets = setunion(var.api_secrets, compact([var.slack_webhook_secret]))
  pipeline_secrets = [
    for found in regexall("\\$\\{secret:projects/([^/]+)/secrets/([^/}]+)", local.pipeline_text) :
    { project = found[0], name = found[1] }
  ]
  pipeline_unknown_secrets = distinct([
    for secret in local.pipeline_secrets :
    secret.name if secret.project == var.project_id && !contains(local.known_secrets, secret.name)
  ])

  # The project at the top is the default of accounts that name none.
  pipeline_projects = compact(flatten([
    for source in try(local.pipeline.sources, []) : [
      for account in try(source.accounts, []) : try(account.warehouse.project, local.pipeline.warehouse.project, "")
    ]
  ]))
  pipeline_unknown_projects = distinct([for project in local.pipeline_projects : project if !contains(keys(var.warehouse_projects), project)])
}
