"""ebXML Registry Information Model 3.0 as IHE uses it (ITI TF-3 4.2), read into the model's words and written."""
