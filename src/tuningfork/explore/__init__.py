"""The explorer: a local server and its page, on which a catalogue is looked at, labelled and learned from."""
