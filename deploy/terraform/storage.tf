# The bucket of the landing zone and the pipeline file in it.
# Checkpoints, runs/latest.json and runs/lease.json match no lifecycle rule: without checkpoints everything is extracted anew.

resource "google_storage_bucket" "landing" {
  name                        = local.bucket_name
  location                    = var.location
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.batch_days
      matches_prefix = ["${local.folder}batches/"]
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.reject_days
      matches_prefix = ["${local.folder}rejects/"]
    }
  }

  # What a killed load has left of its staged files.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = 2
      matches_prefix = ["${local.folder}staging/"]
    }
  }

  # Plans and reports. A run's id begins with its year; `runs/` alone would take runs/latest.json from a pipeline that runs rarely.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.run_days
      matches_prefix = ["${local.folder}runs/2", "${local.folder}runs/executions/"]
    }
  }

  depends_on = [google_project_service.main]
}

resource "google_storage_bucket_object" "pipeline" {
  count = var.pipeline_file == null ? 0 : 1

  bucket        = google_storage_bucket.landing.name
  name          = "pipeline.yaml"
  content       = local.pipeline_text
  content_type  = "application/yaml"
  cache_control = "no-store"

  lifecycle {
    precondition {
      condition     = local.pipeline_landing == local.landing_uri
      error_message = "The pipeline file's landing is `${local.pipeline_landing}`; here it is `${local.landing_uri}`."
    }

    precondition {
      condition     = length(local.pipeline_unknown_secrets) == 0
      error_message = "The pipeline file names secrets of this project that are in neither api_secrets nor slack_webhook_secret: ${join(", ", local.pipeline_unknown_secrets)}."
    }

    precondition {
      condition     = length(local.pipeline_unknown_projects) == 0
      error_message = "The pipeline file loads into projects that are not in warehouse_projects: ${join(", ", local.pipeline_unknown_projects)}."
    }
  }
}
