"""Care gaps of supply: injections past due, medicine that ran out, and more medicine than the dose needs."""
