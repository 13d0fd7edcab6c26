"""Look after a machine and its studies: doctor, merge and gc."""
