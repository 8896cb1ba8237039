"""The examples, run as their README says, against a Tether whose services are the sandbox."""
