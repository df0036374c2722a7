# One account for each program, one for the schedule, one for builds. None has a key.

resource "google_service_account" "program" {
  for_each = local.programs

  account_id   = "drayage-${each.key}"
  display_name = "Drayage: ${local.job_names[each.key]}"

  depends_on = [google_project_service.main]
}

resource "google_service_account" "scheduler" {
  account_id   = "drayage-scheduler"
  display_name = "Drayage: starts the orchestrator"

  depends_on = [google_project_service.main]
}

resource "google_service_account" "build" {
  account_id   = "drayage-build"
  display_name = "Drayage: builds the image"

  depends_on = [google_project_service.main]
}

locals {
  member = { for name, account in google_service_account.program : name => "serviceAccount:${account.email}" }
}
