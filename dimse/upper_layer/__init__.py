"""The lean path under pynetdicom: associations that receive and send C-STORE data without its copies and polling."""
