"""int8-native beside the stock variants of the same bundle: speed, memory, faithfulness and endurance."""
