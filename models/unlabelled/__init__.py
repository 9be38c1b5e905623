"""What is found without fitting a label: groups of a column's values, and rules, with one machine's libraries."""
