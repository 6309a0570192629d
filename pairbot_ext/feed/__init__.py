"""The venue is heard: its streams with their ages, in one thread of their own."""
