"""What is found without fitting a label in data beyond one machine: groups of values, and rules, with MLlib."""
