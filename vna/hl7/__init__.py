"""HL7 v2 door: messages over MLLP; patient identity feed (ITI TF-2 3.8)."""
