"""Links what an extract holds: references to people, pairs to one contact, doses to supplies."""
