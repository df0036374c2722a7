# The schedule. It asks the Cloud Run Admin API to start the orchestrator and does not wait for the run's end.
# A repeated request can start a second run: that one waits for the first (--wait).

resource "google_cloud_scheduler_job" "run" {
  count = var.image == null ? 0 : 1

  name             = "drayage"
  description      = "Starts a run of Drayage"
  region           = coalesce(var.scheduler_region, var.region)
  schedule         = var.schedule
  time_zone        = var.time_zone
  paused           = var.paused
  attempt_deadline = "180s"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
    max_doublings        = 3
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${local.job_names["orchestrator"]}:run"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode("{}")

    oauth_token {
      service_account_email = google_service_account.scheduler.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_starts]
}
