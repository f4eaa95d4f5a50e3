"""The bundles of a device: checked before they are installed, switched by one link, and rolled back where one fails."""
