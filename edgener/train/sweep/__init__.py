"""The search for hyper-parameters: trials in an Optuna study, chosen on the valid split."""
