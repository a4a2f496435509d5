"""The national rules: orders meet images and reports, duplicates, completeness, notification of the payer."""
