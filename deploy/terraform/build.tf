# What Cloud Build needs: a repository for the image, a bucket for the sources, and the right to put new images into the jobs.

resource "google_artifact_registry_repository" "images" {
  repository_id = "drayage"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of Drayage"
  labels        = var.labels

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.main]
}

# Sources that were sent to Cloud Build; a week is enough to look into a build.
resource "google_storage_bucket" "build" {
  name                        = "${local.bucket_name}-build"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = 7
    }
  }

  depends_on = [google_project_service.main]
}

locals {
  build_member = "serviceAccount:${google_service_account.build.email}"
}

resource "google_storage_bucket_iam_member" "build_reads_sources" {
  bucket = google_storage_bucket.build.name
  role   = "roles/storage.objectViewer"
  member = local.build_member
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.build_member
}

resource "google_artifact_registry_repository_iam_member" "build_pushes" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = local.build_member
}

resource "google_cloud_run_v2_job_iam_member" "build_updates" {
  for_each = google_cloud_run_v2_job.program

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.developer"
  member   = local.build_member
}

# Who changes a job must be allowed to act as the job's account.
resource "google_service_account_iam_member" "build_acts_as" {
  for_each = google_service_account.program

  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = local.build_member
}
