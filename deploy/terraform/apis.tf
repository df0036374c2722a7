# The APIs that are used. They stay on when this is destroyed: other things in the project may need them.

resource "google_project_service" "main" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}

resource "google_project_service" "bigquery" {
  for_each = var.warehouse_projects

  project            = each.key
  service            = "bigquery.googleapis.com"
  disable_on_destroy = false
}
