# Versions, providers and where the state lies.
# The bucket of the state comes with `terraform init -backend-config="bucket=..."`, see docs/google-cloud.md.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  backend "gcs" {
    prefix = "drayage"
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}
