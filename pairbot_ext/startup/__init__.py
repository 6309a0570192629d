"""What refuses a start: settings under which one leg could leave alone."""
