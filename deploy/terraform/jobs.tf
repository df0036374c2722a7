# The three Cloud Run jobs. They are created once there is an image (variable image).
# The orchestrator replaces the arguments and the number of tasks of the other two for each run; theirs are for starting them by hand.

locals {
  jobs = {
    extract = merge(var.extract, {
      args = ["--pipeline", local.pipeline_uri]
    })
    load = merge(var.load, {
      args = ["--pipeline", local.pipeline_uri]
    })
    orchestrator = merge(var.orchestrator, {
      # A run that is started while another goes on waits for it.
      args = ["run", "--pipeline", local.pipeline_uri, "--wait"]
    })
  }
}

resource "google_cloud_run_v2_job" "program" {
  for_each = { for name, job in local.jobs : name => job if var.image != null }

  name                = local.job_names[each.key]
  location            = var.region
  labels              = var.labels
  deletion_protection = false

  template {
    task_count = 1

    template {
      service_account = google_service_account.program[each.key].email
      timeout         = "${each.value.timeout_hours * 3600}s"
      max_retries     = each.value.max_retries

      containers {
        image   = var.image
        command = ["/usr/local/bin/${local.job_names[each.key]}"]
        args    = each.value.args

        resources {
          limits = {
            cpu    = each.value.cpu
            memory = each.value.memory
          }
        }

        dynamic "env" {
          for_each = var.env

          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  lifecycle {
    # Cloud Build puts newer images in.
    ignore_changes = [
      client,
      client_version,
      template[0].template[0].containers[0].image,
    ]
  }

  # A job that starts before its rights are there fails.
  depends_on = [
    google_artifact_registry_repository.images,
    google_bigquery_dataset_iam_member.load_writes,
    google_project_iam_member.load_runs_jobs,
    google_secret_manager_secret_iam_member.extract,
    google_secret_manager_secret_iam_member.orchestrator,
    google_storage_bucket_iam_member.program,
  ]
}
