"""Everything that is Freqtrade's private: no other room touches an attribute that begins with `_`."""
