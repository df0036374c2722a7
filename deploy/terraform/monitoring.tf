# Alerts: a job's execution has failed; the schedule could not start a run.

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = "Drayage: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.main]
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.name]
}

resource "google_monitoring_alert_policy" "failed_execution" {
  count = var.image == null ? 0 : 1

  display_name          = "Drayage: a job has failed"
  combiner              = "OR"
  severity              = "ERROR"
  user_labels           = var.labels
  notification_channels = local.channels

  conditions {
    display_name = "An execution has ended with failed tasks"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_job\"",
        "resource.labels.job_name = one_of(${join(", ", [for name in local.job_names : "\"${name}\""])})",
        "metric.type = \"run.googleapis.com/job/completed_execution_count\"",
        "metric.labels.result = \"failed\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.job_name"]
      }

      trigger {
        count = 1
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Exit code 1: some units failed, the others are done. 2: the pipeline file or a manifest is wrong. 3: the landing zone or the warehouse is out of reach. What failed and why: table `etl_logs`, and the job's log. See docs/google-cloud.md."
  }
}

resource "google_monitoring_alert_policy" "failed_start" {
  count = var.image == null ? 0 : 1

  display_name          = "Drayage: a run could not be started"
  combiner              = "OR"
  severity              = "ERROR"
  user_labels           = var.labels
  notification_channels = local.channels

  conditions {
    display_name = "Cloud Scheduler's request was refused"

    condition_matched_log {
      filter = join(" AND ", [
        "resource.type = \"cloud_scheduler_job\"",
        "resource.labels.job_id = \"${google_cloud_scheduler_job.run[0].name}\"",
        "severity >= ERROR",
      ])
    }
  }

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Cloud Scheduler could not start the orchestrator. See the table of troubles in docs/google-cloud.md."
  }
}
